"""Types a line and Tab into an interactive zsh, and prints what the line became. Usage: complete.py SCRIPT FOLDER LINE…"""

import os
import pty
import select
import sys
import time

script, folder, *lines = sys.argv[1:]

pid, terminal = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PATH=folder + ":" + os.environ["PATH"], HOME=folder)
    os.chdir(folder)
    os.execvp("zsh", ["zsh", "-f", "-i"])


def read(mark, limit=20.0):
    """Reads until the text holds the mark and nothing more comes for a moment."""
    text, end = "", time.monotonic() + limit
    while time.monotonic() < end:
        if select.select([terminal], [], [], 0.15)[0]:
            text += os.read(terminal, 4096).decode(errors="replace")
        elif mark in text:
            break
    return text


def tell(text):
    os.write(terminal, text.encode())


# Without highlighting, lists and prompts of its own the terminal shows the line and nothing else.
tell("PS1='%% ' PROMPT_SP= PROMPT_EOL_MARK= ZLE_REMOVE_SUFFIX_CHARS=; unsetopt prompt_sp prompt_cr auto_list; "
     "autoload -U compinit; compinit -u -D; source " + script + "; print rea''dy\n")
read("\nready")
for line in lines:
    tell("\x15" + line + "\t")
    time.sleep(0.2)
    # What the line is now, by an accepted `: 'line'`.
    tell("\x01print -r -- '<\x05>'\n")
    answer = read("\n<")
    print(answer.rsplit("\n<", 1)[1].split(">", 1)[0])
tell("\x04")
