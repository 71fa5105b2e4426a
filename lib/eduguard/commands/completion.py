"""Shell completion. The shell passes the words one by one, so that spaces in them are kept."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from invoke.parser.context import ParserContext as Flags
from invoke.tasks import Task

from eduguard.commands.words import split_dotted

FILES, FOLDERS = "<files>", "<folders>"
_KINDS = {
    "PHOTO": FILES,
    "FILE": FILES,
    "FOLDER": FOLDERS,
    "--classes": FOLDERS,
    "--from": FOLDERS,
    "--annotate": FOLDERS,
}
BASH = r"""_eduguard() {
  local IFS=$'\n' current="${COMP_WORDS[COMP_CWORD]}" offered
  offered=$(INV_BEFORE="${COMP_WORDS[*]:1:COMP_CWORD-1}" INV_CURRENT="$current" "$1" completion words 2>/dev/null)
  COMPREPLY=()
  case $'\n'"$offered"$'\n' in
    *$'\n<files>\n'*) compopt -o filenames; COMPREPLY+=($(compgen -f -- "$current")) ;;
    *$'\n<folders>\n'*) compopt -o filenames; COMPREPLY+=($(compgen -d -- "$current")) ;;
  esac
  COMPREPLY+=($(compgen -W "$(grep -v '^<' <<<"$offered")" -- "$current"))
}
complete -F _eduguard inv
"""
ZSH = r"""(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
_eduguard() {
  local -a before offered
  before=("${(@Q)words[2,CURRENT-1]}")
  local -x INV_BEFORE="${(pj:\n:)before}" INV_CURRENT="${(Q)PREFIX}"
  offered=("${(@f)$("$words[1]" completion words 2>/dev/null)}")
  (( ${offered[(Ie)<files>]} )) && _files
  (( ${offered[(Ie)<folders>]} )) && _files -/
  compadd -- ${offered:#<*>}
}
compdef _eduguard inv
"""
FISH = r"""function __eduguard
    set -l before (commandline -opc)
    set -l current (commandline -ct)
    set -l program $before[1]
    set -e before[1]
    set -l joined (string join \n -- $before | string collect)
    for offered in (env INV_BEFORE="$joined" INV_CURRENT="$current" $program completion words 2>/dev/null)
        switch $offered
            case '<files>'
                __fish_complete_path $current
            case '<folders>'
                __fish_complete_directories $current ''
            case '*'
                printf '%s\n' $offered
        end
    end
end
complete -c inv -f -a '(__eduguard)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
"""by shell; each script passes the complete words and, separately, the word that is being typed"""


def print_words(tasks: Mapping[str, Task[Any]], flags_of: Callable[[Task[Any]], Flags]) -> None:
    """Print the words that may follow those of INV_BEFORE, one a line; INV_CURRENT is the word being typed."""
    before = os.environ.get("INV_BEFORE", "").splitlines()
    offered = offer(before, os.environ.get("INV_CURRENT", ""), tasks, flags_of)
    sys.stdout.writelines(f"{each}\n" for each in offered)


def offer(
    before: Iterable[str], current: str, tasks: Mapping[str, Task[Any]], flags_of: Callable[[Task[Any]], Flags]
) -> list[str]:
    """Return the words that may follow, only those that the parser accepts; a pure function."""
    left = deque(before)
    dotted = {name.replace(" ", ".") for name in tasks if " " in name}
    starts = sorted({name.partition(" ")[0] for name in tasks} | dotted)
    offered = starts
    while left:
        split_dotted(left, tasks)
        name = left.popleft()
        if seconds := sorted(each.partition(" ")[2] for each in tasks if each.startswith(f"{name} ")):
            if not left:
                return seconds
            name = f"{name} {left.popleft()}"
        if name not in tasks:
            return []
        offered = _offer_inside(tasks[name], left, current, starts, flags_of(tasks[name]))
    # Offer `photos.check` only after the dot is typed; without it, the second word is offered next.
    return offered if "." in current else [each for each in offered if each not in dotted]


def _offer_inside(task: Task[Any], left: deque[str], current: str, starts: list[str], flags: Flags) -> list[str]:
    form: Any = getattr(task, "form", None)
    given = 0
    names = form.names if form else []
    own = {flag: each for flag, each in flags.flags.items() if flag[2:].upper() not in names}
    while left:
        name = form.name_of(given) if form else None
        if left[0].startswith("-"):
            flag, equals, _ = left.popleft().partition("=")
            if flag not in own:
                left.clear()
                return []
            if own[flag].takes_value and not equals:
                if not left:
                    return [_KINDS[flag]] if flag in _KINDS else []
                left.popleft()
        elif name and (form.is_demanded(given) or left[0] not in starts):
            left.popleft()
            given += 1
        else:
            return []
    if current.startswith("-"):
        return ["--help", *sorted(own)]
    if form and form.name_missing(given):
        return [kind] if (kind := _KINDS.get(form.name_missing(given))) else []
    more = _KINDS.get(form.name_of(given) or "") if form else None
    return [*([more] if more and given else []), *starts]
