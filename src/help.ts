/**
 * What `--help` prints: a screen of 80 × 24 for the command and for each of its commands. The
 * option lines are also what manual and completion are made from (help-text.ts): two blanks, the
 * forms, two blanks or a new line, the text, and further lines deeper in.
 */

/** Topics of the help: `sandlock`, and every command. */
export type HelpTopic =
  | 'sandlock'
  | 'exec'
  | 'compile'
  | 'check'
  | 'fmt'
  | 'inspect'
  | 'lint'
  | 'diff'
  | 'learn'
  | 'doctor'
  | 'completion';

/** The texts, each ending in a newline. */
export const HELP: Readonly<Record<HelpTopic, string>> = {
  sandlock: `sandlock runs a command that reaches only the destinations a policy allows.

  sandlock exec POLICY -- COMMAND …    run COMMAND; ends as COMMAND ends
  sandlock compile POLICY -o FILE      turn a policy into a table
  sandlock check POLICY DESTINATION …  what would be decided, and why
  sandlock fmt POLICY …                one form for policies; comments stay
  sandlock inspect POLICY              what a table contains
  sandlock lint POLICY …               rules that do nothing, or too much
  sandlock learn -o FILE -- COMMAND …  run COMMAND unhindered; write its policy
  sandlock diff BEFORE AFTER           what became reachable, what no longer is
  sandlock doctor                      whether sandlock can run on this machine
  sandlock completion SHELL            completion for bash, zsh or fish

  -V, --version  print the version
  -h, --help     print this, or after a command its own help

POLICY is a TOML file, or (but for compile) a table that was compiled from one.

  [network]
  allow = ["api.example.com:443", "10.20.0.0/16:5432", "udp://192.0.2.9:123"]
  deny  = ["10.20.9.0/24:*"]
`,
  exec: `sandlock exec POLICY [options] -- COMMAND …

Runs COMMAND so that it reaches what POLICY allows and nothing else. What is
refused fails with ECONNREFUSED, or EACCES where no rule is of that protocol.

  --allow RULE           allow this as well; also without POLICY
  --deny RULE            refuse this, whatever is allowed
  --allow-bind RULE      let COMMAND serve on this as well
  --allow-unix SOCKET    let it reach this UNIX socket as well
  --refresh              look pinned names of a compiled POLICY up again
  -q, --quiet            print no line for what is refused
  --log FILE             append every refusal to FILE as a line of JSON
  --log-allowed          log what is allowed as well
  --summary              print at the end what was reached and refused
  --linger TIME          seconds processes may outlive COMMAND: 10, or forever
  --supervise            look at every call, also where the kernel is silent
  --stats                print at the end how many calls were looked at
  --allow-degraded NAME  run without kernel-settings (root) or other-processes;
                         sandlock doctor says whether that is needed

Rules by options may be repeated; POLICY is TOML then: a table is not changed.
Exit status: COMMAND's own · 2 bad policy or usage · 125 sandlock failed
126 COMMAND can not be executed · 127 it was not found
`,
  compile: `sandlock compile POLICY -o FILE [options]

Turns a policy into a table. FILE is replaced as a whole, or not touched when
POLICY has errors, or when something is in FILE that is no table.

  -o, --output FILE  where the table goes; - is standard output
  --hosts FILE       look names up in FILE first, which is like /etc/hosts
  --offline          ask no resolver: a name that FILE lacks is an error
  --refresh          POLICY is a table: look its pinned names up again
  --deny-warnings    write nothing when there is a warning
  --json, --format FORMAT
                     text or json: form of summary and errors
`,
  fmt: `sandlock fmt POLICY … [options]

Prints policies in one form: spacing, indentation, commas. Comments, order, and
what is said stay as they are.

  --check      write nothing, name the files that are not in this form
  -w, --write  replace the files

Exit status: 0 · 1 a file is not in this form (--check) · 2 no TOML, bad usage
`,
  inspect: `sandlock inspect POLICY [options]

Says what a table contains: by what each protocol is held, rules, names with the
age of their pins, sets, families, UNIX sockets, and the size of each section.

  --explain [DESTINATION]
                how the tries are laid out, and walked for DESTINATION
  --json, --format FORMAT
                text or json: one object
`,
  lint: `sandlock lint POLICY … [options]

Says what is wrong or doubtful in policies: errors, and rules that are
duplicates, covered by others, refused by deny rules, without effect, or about
every address there is. A comment \`# sandlock-ignore SL3105\` behind a rule, or
on a line of its own above it, silences a warning.

  --hosts FILE  look names up in FILE first, which is like /etc/hosts
  --offline     ask no resolver: a name that FILE lacks is an error
  --json, --format FORMAT
                text or json: one diagnostic a line

Exit status: 0 nothing · 1 warnings · 2 errors or bad usage.
`,
  diff: `sandlock diff BEFORE AFTER [options]

Says what a command could reach under the policy AFTER and not under BEFORE (+),
and the reverse (-), as prefixes and ports, not as rules. Either may be TOML or
a table.

  --json, --format FORMAT  text or json

Exit status: 0 the same · 1 different · 2 bad policy or usage
`,
  check: `sandlock check POLICY [DESTINATION …] [options]

Says for each destination whether a command would reach it, which rules decide
that, and for a refusal which rules come close and which one to add. Without
destinations, or for -, reads them from standard input, one a line.

  tcp://10.1.2.3:443   udp://1.1.1.1:53   icmp://192.0.2.7   [2001:db8::1]:443
  api.example.com:443   bind:tcp://127.0.0.1:8080   unix:/run/x.sock

  --json, --format FORMAT  text or json: one object a line

Exit status: 0 all are allowed · 1 some are not · 2 bad policy or usage
`,
  learn: `sandlock learn -o POLICY [options] -- COMMAND …

Runs COMMAND under observation: it reaches whatever it tries, and POLICY gets
the rules that would have allowed it. Ends as COMMAND ends.

  -o, --output FILE   the policy to write; - is standard output
  --update            add to the policy in FILE; its comments stay
  --replace           write FILE anew although it exists
  --enforce           with --update: refuse what FILE does not allow, and add it
  --collapse BITS     several IPv4 addresses of one network of that many bits
                      become that network (IPv6: 64)
  --linger SECONDS    how long processes may outlive COMMAND before they are
                      ended: 10
  --allow-degraded NAME
                      run without kernel-settings (root) or other-processes

A policy says what the command did, not what it should be allowed to do: read
it before you use it.
`,
  doctor: `sandlock doctor [options]

Tries what a sandbox needs of this kernel and host, in throw-away processes, and
says what follows from what is missing. Last it runs /bin/true and two connects
under a real table.

  ok        it works                  degraded  exec needs --allow-degraded NAME
  fallback  done in another way       missing   exec refuses, at the stage named

  --json  print the report as JSON

Exit status: 0 sandlock runs and every wall stands · 1 it runs with
--allow-degraded, as printed · 2 it can not run
`,
  completion: `sandlock completion SHELL

Prints a script that completes sandlock's commands and options. SHELL is bash,
zsh or fish.

  bash  source <(sandlock completion bash)          in ~/.bashrc
  zsh   source <(sandlock completion zsh)           in ~/.zshrc, after compinit
  fish  sandlock completion fish | source           in config.fish
`,
};
