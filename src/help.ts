/** What `--help` prints: one screen for the command, a few lines for each of its commands. */

/** Topics of the help. */
export type HelpTopic = 'sandlock' | 'exec' | 'compile' | 'check' | 'diff' | 'doctor';

/** The texts, each ending in a newline. */
export const HELP: Readonly<Record<HelpTopic, string>> = {
  sandlock: `sandlock runs a command that reaches exactly the network destinations a policy allows.

  sandlock exec POLICY -- COMMAND …        run COMMAND; its exit status is sandlock's
  sandlock compile POLICY -o policy.bin    turn a policy into a table
  sandlock check POLICY DESTINATION …      what would be decided, by which rule, and what to add
  sandlock diff BEFORE AFTER               what became reachable, and what no longer is
  sandlock doctor                          what this machine offers, and whether sandlock can run
  sandlock COMMAND --help

POLICY is a TOML file, or (but for compile) a table that was compiled from one.

  [network]
  allow = ["api.example.com:443", "tcp://10.20.0.0/16:5432", "udp://1.1.1.1:53"]
  deny  = ["tcp://10.20.9.0/24:*"]

What is refused: a program sees ECONNREFUSED, or EACCES where nothing of that protocol is allowed.
Exit status: the command's own · 2 bad policy or usage · 125 sandlock failed · 126 the command can not be
executed · 127 it was not found. A command that died by a signal makes sandlock die by the same.
`,
  exec: `sandlock exec POLICY [options] -- COMMAND …

Runs COMMAND so that it reaches what POLICY allows and nothing else. Without a policy nothing is run.

  --allow RULE   allow this as well; may be repeated, and may stand without POLICY
  --deny RULE    refuse this, whatever is allowed; may be repeated
  -q, --quiet    print no line for what is refused
  --log FILE     append every refusal to FILE as a line of JSON
  --log-allowed  log what is allowed as well
  --summary      print at the end what was reached and refused
  --linger TIME  how many seconds processes may outlive COMMAND before they are ended: 10, or forever
  --allow-degraded NAME
                 run although landlock-tcp (Linux 6.7) or landlock-scopes (6.12) is missing, or root
                 can not be kept from kernel-settings

--allow and --deny need a policy in TOML or none: a compiled table can not be changed.
`,
  compile: `sandlock compile POLICY -o FILE [options]

Turns a policy into a table. FILE is replaced as a whole, or not touched when POLICY has errors.

  -o, --output FILE   where the table goes; - is standard output
  --hosts FILE        look names up in FILE first, which has the form of /etc/hosts
  --offline           ask no resolver: a name that FILE lacks is an error
  --format FORMAT     text or json: how the summary or the errors are printed on standard error
`,
  diff: `sandlock diff BEFORE AFTER [options]

Says what a command could reach under the policy AFTER and not under BEFORE (+), and the reverse (-), as
prefixes and ports, not as rules. Either may be TOML or a table.

  --json, --format FORMAT   text or json

Exit status: 0 the same · 1 different · 2 bad policy or usage.
`,
  check: `sandlock check POLICY [DESTINATION …] [options]

Says for each destination whether a command would reach it, which rules decide that, and for a refusal
which rules come close and which one to add. Without destinations, or for -, reads them from standard
input, one a line.

  tcp://10.1.2.3:443   [2001:db8::1]:443   udp://1.1.1.1:53   icmp://192.0.2.7   api.example.com:443
  bind:tcp://127.0.0.1:8080   bind:udp://:5353   unix:/run/x.sock   unix:@name

  --json, --format FORMAT   text or json: one object a line

Exit status: 0 all are allowed · 1 some are not · 2 bad policy, destination or usage.
`,
  doctor: `sandlock doctor [options]

Tries what a sandbox needs of this kernel and host, in throw-away processes, and says what follows from what is
missing. Last it runs /bin/true and two connects under a real table.

  --json              print the report as JSON

  ok         it works                    degraded   exec needs --allow-degraded NAME
  fallback   done in another way         missing    exec refuses, at the stage that is named

Exit status: 0 sandlock runs, every wall stands · 1 it runs with --allow-degraded, as printed · 2 it can not run.
`,
};
