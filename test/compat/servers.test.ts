/**
 * Servers on a port that the policy lets them bind, with their clients in the same sandbox.
 */
import { describe, test } from 'vitest';
import { makeFile, node, users } from '../e2e/harness/stage.ts';
import { each, servers, serversWithDatagrams } from './policies.ts';
import { unchanged } from './unchanged.ts';

const CLUSTER = `
const cluster = require('node:cluster'), http = require('node:http');
const port = Number(process.env.PORT);
if (cluster.isPrimary) {
  let ready = 0;
  for (let i = 0; i < 2; i++) cluster.fork();
  cluster.on('listening', async () => {
    if (++ready < 2) return;
    const ask = () => fetch('http://127.0.0.1:' + port, { headers: { connection: 'close' } }).then((r) => r.text());
    const answers = await Promise.all(Array.from({ length: 20 }, ask));
    console.log(answers.length, new Set(answers).size);
    cluster.disconnect();
  });
} else {
  http.createServer((q, r) => r.end(String(cluster.worker.id))).listen(port, '127.0.0.1');
}`;

const NGINX = `daemon on; worker_processes 2; pid nginx.pid; error_log error.log;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
  server { listen 127.0.0.1:__PORT__; location / { return 200 "from nginx\\n"; } }
}`;

describe.concurrent.each(users)('as $name', (user) => {
  describe.each(servers)('under $rules', ({ policy }) => {
    test('node cluster: two workers on one port', () =>
      unchanged({
        user,
        policy,
        script: `${node} ${makeFile('cluster.cjs', CLUSTER)}`,
        prints: '20 2\n',
      }));

    test('nginx with two workers: serves, reloads, quits', () =>
      unchanged({
        user,
        policy,
        script: `${user.uid === 0 ? "echo 'user root;'" : 'echo'} > nginx.conf
          sed "s/__PORT__/$PORT/" ${makeFile('nginx.conf', NGINX)} >> nginx.conf
          nginx() { /usr/sbin/nginx -p $PWD -c nginx.conf -e error.log "$@"; }
          nginx
          until curl -s http://127.0.0.1:$PORT/; do sleep 0.05; done
          nginx -s reload; sleep 0.5
          for i in 1 2 3 4 5; do curl -sS http://127.0.0.1:$PORT/; done | sort | uniq -c | tr -s ' '
          ps -o pid= --ppid "$(cat nginx.pid)" | wc -l
          nginx -s quit
          while [ -e nginx.pid ]; do sleep 0.05; done`,
        prints: 'from nginx\n 5 from nginx\n2\n',
      }));

    test('redis: server and client', () =>
      unchanged({
        user,
        policy,
        script: `redis-server --port $PORT --bind 127.0.0.1 --save '' --daemonize no > log & server=$!
          cli() { redis-cli -p $PORT "$@"; }
          until cli ping > /dev/null 2>&1; do sleep 0.05; done
          cli set key value; cli get key
          redis-benchmark -p $PORT -q -n 500 -c 20 -t set | grep -c 'requests per second'
          cli shutdown nosave
          wait $server`,
        prints: 'OK\nvalue\n1\n',
      }));

    test('python http.server: serves a file to curl', () =>
      unchanged({
        user,
        policy,
        script: `echo content > file
          python3 -m http.server --bind 127.0.0.1 $PORT > log 2>&1 & server=$!
          until curl -s http://127.0.0.1:$PORT/file; do sleep 0.05; done
          kill $server`,
        prints: 'content\n',
      }));
  });

  test.each(serversWithDatagrams)('socat under $rules: a listener and its client', ({ policy }) =>
    unchanged({
      user,
      policy,
      script: `socat -u TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr STDOUT > got & server=$!
        until echo hello | socat -u STDIN TCP:127.0.0.1:$PORT 2> log; do sleep 0.05; done
        wait $server; cat got`,
      prints: 'hello\n',
    }),
  );

  // PostgreSQL refuses to run as root.
  if (user.uid !== 0) {
    test.each(each)(
      'postgres under $rules: peer authentication over its own unix socket',
      ({ policy }) =>
        unchanged({
          user,
          policy,
          script: `PATH=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1):$PATH
          initdb -D data -A peer --no-locale --no-sync > log
          pg_ctl -D data -w -l server.log -o "-k $PWD -h ''" start > log
          psql -h $PWD -d postgres -X -A -t -c 'select current_user'
          pg_ctl -D data -m fast stop > log`,
          prints: 'nobody\n',
        }),
    );
  }
});
