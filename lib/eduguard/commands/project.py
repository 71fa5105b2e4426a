"""Read a project's settings for programs other than `inv`, from the same files and variables."""

import os
from pathlib import Path

from invoke.context import Context

from eduguard.commands.executor import plain_settings, stated_settings
from eduguard.commands.permission import tighten
from eduguard.commands.settings_file import SuiteConfig, name_files, require_runtime_file
from eduguard.errors import EduguardError
from eduguard.settings import Settings, load_settings


def read_settings(folder: Path) -> Settings:
    """Return the settings of a project: its invoke.yaml, the machine's and the user's files, and the environment.

    Raises:
        EduguardError: if the folder has no invoke.yaml, or for settings that `inv` refuses too.
    """
    if not (folder / "invoke.yaml").is_file():
        raise EduguardError(
            f"There is no invoke.yaml in {folder}",
            hint="The setting eduguard_project of pytest, or the variable EDUGUARD_PROJECT, names the folder.",
        )
    config = SuiteConfig(project_location=folder)
    config.set_runtime_path(os.environ.get("INVOKE_RUNTIME_CONFIG"))  # type: ignore[arg-type]  # Invoke itself sets a text, too
    require_runtime_file(config)
    config.load_project()
    config.load_runtime()
    config.load_shell_env()
    context = Context(config)
    values = tighten(plain_settings(context), stated_settings(context))
    return load_settings(values, root=folder, environment=dict(os.environ), files=name_files(config))
