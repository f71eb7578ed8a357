"""`recado profiles`: which addresses have an assistant of their own, and whether a file of them is right."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .console import AsJson, failed, out, print_json

app = typer.Typer(help="Profiles: addresses that have a prompt, a model, texts or hours of their own.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every profile, and whether it is open now."""
    from actors.profiles import load_profiles
    from brokers.clock import now_ms
    from ops.foundation.settings import load_settings

    from .tables import profile_facts, profile_table

    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    profiles, now = load_profiles(settings), now_ms()
    if as_json:
        print_json([profile_facts(each, at_ms=now) for each in profiles])
    elif settings.profiles_path is None:
        out.print("PROFILES_PATH is not set: the settings hold for every address.")
    else:
        out.print(profile_table(profiles, at_ms=now))


@app.command()
def check(file: Annotated[Path, typer.Argument(help="The file, before it is put in place.")]) -> None:
    """Check a file of profiles with the settings of here, and list all that is wrong in it."""
    from actors.profiles import ProfilesError, load_profiles
    from ops.foundation.settings import load_settings

    try:
        profiles = list(load_profiles(load_settings(), file))
    except ProfilesError as error:
        raise failed(str(error)) from error
    addresses = sum(len(each.addresses) for each in profiles)
    out.print(f"{file} is right: {len(profiles)} profile(s) for {addresses} address(es).", markup=False)
