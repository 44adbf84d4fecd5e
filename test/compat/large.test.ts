/**
 * Programs of runtimes that are too large to install for a test: Go, Java, Chromium, where they are found (run.mjs says
 * which are not).
 */
import { execFileSync } from 'node:child_process';
import { describe, test } from 'vitest';
import { openWeb } from '../e2e/harness/http.ts';
import { makeDirectory, makeFile, type User, users } from '../e2e/harness/stage.ts';
import { servers } from './policies.ts';
import { unchanged } from './unchanged.ts';

const found: { readonly go?: string; readonly java?: string; readonly chromium?: string } =
  JSON.parse(process.env.SANDLOCK_COMPAT_LARGE ?? '{}');

const GO = `package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
)

func main() {
	at := "127.0.0.1:" + os.Getenv("PORT")
	listener, err := net.Listen("tcp", at)
	if err != nil {
		panic(err)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "served") }))
	var group sync.WaitGroup
	good := make(chan bool, 160)
	for i := 0; i < 8; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for k := 0; k < 20; k++ {
				client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
				answer, err := client.Get("http://" + at)
				if err != nil {
					panic(err)
				}
				body, _ := io.ReadAll(answer.Body)
				answer.Body.Close()
				good <- string(body) == "served"
			}
		}()
	}
	group.Wait()
	fmt.Println(len(good))
	interfaces, err := net.Interfaces()
	fmt.Println(interfaces[0].Name, err)
	output, err := exec.Command("echo", "a child").Output()
	fmt.Print(string(output))
}
`;

const JAVA = `
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.*;
import java.util.concurrent.*;

public class Main {
  public static void main(String[] a) throws Exception {
    int port = Integer.parseInt(System.getenv("PORT"));
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.createContext("/", e -> { e.sendResponseHeaders(200, 6); e.getResponseBody().write("served".getBytes()); e.close(); });
    server.setExecutor(Executors.newFixedThreadPool(4));
    server.start();
    HttpClient client = HttpClient.newHttpClient();
    int good = 0;
    for (int i = 0; i < 20; i++) {
      var answer = client.send(HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + port)).build(), HttpResponse.BodyHandlers.ofString());
      if (answer.body().equals("served")) good++;
    }
    System.out.println(good);
    Process jcmd = new ProcessBuilder("jcmd", "" + ProcessHandle.current().pid(), "VM.version").start();
    String text = new String(jcmd.getInputStream().readAllBytes());
    System.out.println(jcmd.waitFor() + " " + text.contains("JDK"));
    System.exit(0);
  }
}
`;

/** Its zygote learns the process ids of its children from credentials, which are exact under both. */
const pages: readonly { readonly rules: string; readonly policy: string }[] = [
  { rules: 'a TCP rule', policy: '[network]\nallow = ["127.0.0.1:PORT"]\n' },
  {
    rules: 'a TCP and a UDP rule',
    policy: '[network]\nallow = ["127.0.0.1:PORT", "udp://127.0.0.1:PORT"]\n',
  },
];

describe.each(users)('as $name', (user) => {
  describe.each(servers)('under $rules', ({ policy }) => {
    if (found.go !== undefined) {
      test('go: an HTTP server and eight clients at once, its interfaces, a child', () =>
        unchanged({ user, policy, script: buildGo(), prints: '160\nlo <nil>\na child\n' }));
    }

    if (found.java !== undefined) {
      test('java: an HTTP server, HttpClient, and jcmd of itself', () =>
        unchanged({
          user,
          policy,
          script: `java -XX:TieredStopAtLevel=1 ${makeFile('Main.java', JAVA)}`,
          prints: '20\n0 true\n',
        }));
    }
  });

  if (found.chromium !== undefined) {
    test.each(pages)(
      'chromium without its own sandbox, under $rules: renders a page',
      ({ policy }) => render(user, '--no-sandbox', policy),
    );

    // As root chromium refuses to start with its own.
    if (user.uid !== 0) {
      test.each(pages)(
        'chromium with its own sandbox, where the policy lets it have one, under $rules: renders a page',
        ({ policy }) => render(user, '', `${policy}[program]\nallow_userns = true\n`),
      );
    }
  }
});

/** Has chromium run a script of a page; the flags keep it from asking for anything else. */
async function render(user: User, flags: string, policy: string): Promise<void> {
  const page = '<title>t</title><p id=p><script>p.textContent = 6 * 7</script>';
  const web = await openWeb(['127.0.0.1'], () => page);
  await unchanged({
    user,
    policy,
    port: web.port,
    script: `chromium ${flags} --headless --disable-gpu --disable-quic --no-first-run \\
        --disable-background-networking --disable-component-update --disable-sync \\
        --disable-dev-shm-usage --user-data-dir=$PWD/data --dump-dom \\
        http://127.0.0.1:$PORT/ 2> log | grep -o '<p id="p">42'`,
    prints: '<p id="p">42\n',
  });
}

let program: string | undefined;

/** Compiles the Go program once; every run starts the same file. */
function buildGo(): string {
  if (program === undefined) {
    program = `${makeDirectory()}/program`;
    const source = makeFile('main.go', GO);
    execFileSync(found.go ?? 'go', ['build', '-o', program, source], {
      env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-trimpath', GOTOOLCHAIN: 'local' },
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  return program;
}
