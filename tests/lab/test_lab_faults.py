"""Labs whose processes are killed: what is told is true, and nothing stays behind."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.lab


def test_a_lab_outlives_its_starter_and_an_ephemeral_one_does_not(stage):
    player, backend = stage
    player.play("starter_killed", backend=backend)


def test_a_lab_without_its_keeper_is_told_and_cleaned(stage):
    player, backend = stage
    player.play("keeper_killed", backend=backend)


def test_a_lab_of_which_everything_was_killed_is_cleaned(stage):
    player, backend = stage
    player.play("all_killed", backend=backend)


def test_a_starter_killed_in_the_middle_leaves_nothing(stage):
    player, backend = stage
    player.play("killed_while_starting", backend=backend)


def test_an_interrupted_start_leaves_nothing(stage):
    player, backend = stage
    player.play("interrupted", backend=backend)


def test_a_keeper_that_hangs_is_told_from_one_that_is_gone(user):
    user.play("keeper_hangs", backend="session")


def test_a_daemon_that_dies_again_and_again_is_given_up(user):
    user.play("give_up", backend="session")


def test_a_lab_whose_record_was_removed_ends_by_itself(user):
    user.play("folder_removed", backend="session")


def test_whatever_is_said_to_a_keeper_it_goes_on(user):
    user.play("nonsense", backend="session")
