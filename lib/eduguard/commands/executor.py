"""How tasks run: each command with its own steps, flags handed to them, a failure as one message and exit status 1."""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.executor import Executor
from invoke.main import program
from invoke.tasks import Call, Task

from eduguard.colours import emphasise_failure, is_coloured
from eduguard.commands.settings_file import SuiteConfig, own_values, require_runtime_file
from eduguard.errors import FAILED, LEFT, EduguardError, UsageError
from eduguard.terminal import answering, begin_step, print_json, start_clock, stop_clock

if TYPE_CHECKING:
    from eduguard.commands.permission import Named

T = TypeVar("T")
_ALLOCATIONS = 100_000  # of containers, less what was freed, between two looks for garbage; 700 or 2,000 by default
_SWITCH = 0.0005  # seconds; 5 ms by default
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_UNREAD = 141  # as the shell reports a program that SIGPIPE has ended
_LEVELS = ("system", "user", "project", "env", "runtime")  # of Invoke's Config, the weakest first

_run: ContextVar[ExitStack] = ContextVar("run")


class _Command(Call):
    """What the command line names; what it records is the object that it prints."""

    def make_context(self, *arguments: Any, **options: Any) -> Context:
        """Return the context; Invoke asks for it just before it runs the task."""
        begin_step(None)
        start_clock(spoken(str(self.called_as or self.task.name)))
        return super().make_context(*arguments, **options)


class _Step(Call):
    """What a command runs before or after itself; what it records is one of the object's steps."""

    def make_context(self, *arguments: Any, **options: Any) -> Context:
        """Return the context; Invoke asks for it just before it runs the task."""
        name = self.task.name.replace("_", "-")
        begin_step(name)
        start_clock(name)
        return super().make_context(*arguments, **options)


class SuiteExecutor(Executor):
    """Run each command of a command line as if it were alone: `inv A B` is `inv A && inv B`.

    The steps of a command, its `pre` and `post` tasks, inherit the flags of the same name given to it; Invoke runs them
    with their defaults. A step that a command names twice, with the same flags, runs once.
    """

    def expand_calls(self, calls: Any, inherited: dict[str, Any] | None = None) -> list[Any]:
        """Return the calls with their pre and post tasks around them, flags handed down by name."""
        expanded = []
        for item in calls:
            call = item if isinstance(item, Call) else Call(item)
            defaults = _defaults(call.task)
            given = {name: value for name, value in call.kwargs.items() if value != defaults.get(name, ...)}
            handed_down = {**(inherited or {}), **given}
            own = {name: value for name, value in handed_down.items() if name in defaults}
            pre, post = self.expand_calls(call.pre, handed_down), self.expand_calls(call.post, handed_down)
            into = _Step if inherited is not None else _Command
            expanded += [*pre, call.clone(into=into, with_={"kwargs": {**defaults, **own}}), *post]
        return expanded

    def execute(self, *tasks: Any) -> Any:
        """Run the commands, each after the one before has ended and let go of its lock; stop at the first failure.

        Raises:
            Exit: in place of an EduguardError or of a failure of the operating system that nothing else explains, such
                as output that a full disk does not take (status 1), of Ctrl-C (130) or, when nobody reads the output,
                of BrokenPipeError (141): `inv status | head -1`.
        """
        done: dict[Any, Any] = {}
        try:
            with self._explained():
                signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # a socket that was closed is an error like any other
                calls = [(str(call.called_as), call.kwargs) for call in self.normalize(tasks)]
                with failing_in_json(is_wanted=any(flags.get("json") for _, flags in calls)), self._explained():
                    self._prepare()
                    commands = self.permit(calls)
                for name, flags in commands:
                    with _answering() if flags.get("json") else nullcontext(), self._explained(), _new_run():
                        done |= super().execute((name, flags))
                sys.stdout.flush()
        except BrokenPipeError as error:  # of an output: the libraries make errors of their own of those of a socket
            _silence(sys.stdout, sys.stderr)
            raise Exit(code=_UNREAD) from error
        except Exit as ended:
            if isinstance(ended.__cause__, OSError):  # perhaps of the output itself
                _silence(sys.stdout)
            raise shown(ended) from ended.__cause__
        return done

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Make a failure that is not a bug its message and exit status."""
        try:
            with exit_on_failure():
                yield
        except KeyboardInterrupt as interrupt:
            raise Exit(f"Interrupted. {self._describe_left()}", code=_INTERRUPTED) from interrupt
        except BrokenPipeError:
            raise
        except OSError as error:
            raise Exit(f"error: {error}", code=FAILED) from error

    def _prepare(self) -> None:
        self._refuse_swallowed_flags()
        require_runtime_file(self.config)
        self.config = self.config.clone(into=SuiteConfig)
        self.config.load_shell_env()

    def permit(self, commands: "Sequence[Named]") -> "list[Named]":
        """Return the commands, with the consent given for the whole line, if the target lets all of them run."""
        from eduguard.commands.permission import require_permission
        from eduguard.commands.shared import settings_of

        for _, flags in commands:
            _refuse_undecodable(flags)
        named = [(spoken(name), flags) for name, flags in commands]
        consent = require_permission(named, lambda: settings_of(Context(self.config)))
        return [(name, {**flags, "confirm": consent} if "confirm" in flags else flags) for name, flags in commands]

    def _describe_left(self) -> str:
        from eduguard.commands.shared import settings_of
        from eduguard.rebuild import publication
        from eduguard.targets import running_database

        rest = "Run the command again: it does what is left."
        try:
            database = running_database(settings_of(Context(self.config)))
            state = publication.describe_live(database) if database else "Its server is not running."
        except (EduguardError, KeyboardInterrupt):  # a server that does not answer is not waited for
            state = "The database was not asked: `inv status` shows what is live."
        return f"{state} {rest}"

    def _refuse_swallowed_flags(self) -> None:
        # After a task that has no such flag, Invoke takes these for its own and ignores them: `inv migrate --collection
        # X` would go on as if nothing had been said, and `inv sync-faces --dry` would write.
        if not self.core:
            return
        flags = self.core[0].args
        if flags.collection.value not in (None, self.collection.name):
            raise UsageError(
                f"--collection {flags.collection.value} is given to a task that has no such flag",
                hint="`inv --help TASK` lists the flags of a task.",
            )
        if flags.dry.value:
            raise UsageError(
                "--dry is Invoke's own and does nothing here", hint="Tasks that can preview have --dry-run."
            )


def spoken(name: str) -> str:
    """Return the name of a task as it is typed: `photos check` for Invoke's `photos.check`."""
    return name.replace(".", " ")


@contextmanager
def exit_on_failure() -> Iterator[None]:
    """Make an EduguardError its message and its exit status.

    Raises:
        Exit: in its place.
    """
    try:
        yield
    except EduguardError as error:
        sys.stdout.flush()
        raise Exit(f"error: {error}", code=error.status) from error


@contextmanager
def failing_in_json(*, is_wanted: bool) -> Iterator[None]:
    """Print a failure before any command as a JSON object too, where that is wanted."""
    try:
        yield
    except Exit as ended:
        if is_wanted and (error := _failure(ended)):
            print_json({"error": error})
        raise shown(ended) from ended.__cause__


@contextmanager
def _answering() -> Iterator[None]:
    """Print what a command recorded, and how it failed, as one JSON object."""
    failure = None
    with answering() as answer:
        try:
            yield
        except Exit as ended:
            failure, answer.error = ended, _failure(ended)
    print_json(answer.whole())
    if failure:
        raise failure


def _failure(ended: Exit) -> Mapping[str, Any] | None:
    """Return what an Exit says, as JSON has it; None where it only has a status."""
    if isinstance(ended.__cause__, EduguardError):
        return ended.__cause__.as_json()
    code = {LEFT: "left", _INTERRUPTED: "interrupted"}.get(ended.code, "failed")
    message, _, hint = (ended.message or "").removeprefix("error: ").partition("\n  ")
    return {"code": code, "message": message, "hint": hint or None, "place": None} if message else None


def shown(ended: Exit) -> Exit:
    """Return an Exit whose message Invoke prints as the terminal can show it."""
    message = str(ended.message or "")
    is_plain = not message or "\033" in message or not is_coloured(sys.stderr)
    return ended if is_plain else Exit(emphasise_failure(message), code=ended.code)


def keep_open(resource: AbstractContextManager[T]) -> T:
    """Enter a context manager that stays open until the last step of this command has ended."""
    return _run.get().enter_context(resource)


def plain_settings(context: Context) -> dict[str, Any]:
    """Return the suite's own settings as plain nested dictionaries, without Invoke's."""
    return own_values(context.config)


def stated_settings(context: Context) -> list[Any]:
    """Return what each file and the environment say by themselves, the project's invoke.yaml among them."""
    return [getattr(context.config, f"_{level}") for level in _LEVELS]


def tune_interpreter() -> None:
    """Fit Python to commands that are short and wait for the network in several threads.

    It looks for garbage cycles less often, and not when it ends: the system takes back all memory at once. Of boto3's
    modules 80,000 containers stay. With its defaults Python goes through them again and again while they are made, and
    once more at the end: a third of the time of a short command. See the documentation of Python's gc.

    And a thread that has its answer waits a shorter time for another one that computes (sys.setswitchinterval): 3 to
    6 % of a small sync, in which a connection and two requests are made at once.
    """
    gc.set_threshold(_ALLOCATIONS)
    atexit.register(gc.freeze)
    sys.setswitchinterval(_SWITCH)


def end_when_unread() -> None:
    """Have what Invoke itself prints end without a word where nobody reads on: `inv --list | head -1`."""
    if "core" in vars(program):  # the tasks may be loaded by another program
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


@contextmanager
def _new_run() -> Iterator[None]:
    with ExitStack() as stack:
        token = _run.set(stack)
        try:
            yield
        finally:
            _run.reset(token)
            stop_clock()


def _silence(*streams: TextIO) -> None:
    # What is left in a buffer would fail once more when Python ends.
    for stream in streams:
        with suppress(OSError):
            stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _defaults(task: Task[Any]) -> dict[str, Any]:
    return {str(arg.attr_name or arg.name): arg.value for arg in task.get_arguments(ignore_unknown_help=True)}


def _refuse_undecodable(flags: dict[str, Any]) -> None:
    # Bytes that are no UTF-8 reach Python as lone surrogates, which neither PostgreSQL nor AWS takes.
    for name, value in flags.items():
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isprintable():
                raise UsageError(f"--{name.replace('_', '-')} {text!r} is not one line of UTF-8 text")
