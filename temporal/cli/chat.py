"""`perdure chat`: a conversation with an agent in a terminal, or through a pipe.

The main thread shows, asks and takes Ctrl-C; what talks to the server runs in the background.
"""

from __future__ import annotations

import getpass
import re
import secrets
from typing import TYPE_CHECKING, Any

from rich.text import Text

from agents.errors import InvalidInput, ThreadBusy
from temporal.cli.background import Background
from temporal.cli.dialogue import Dialogue, Leave
from temporal.cli.display import cost
from temporal.cli.errors import say
from temporal.cli.keyboard import Keyboard
from temporal.cli.listening import Listener
from temporal.cli.recalling import recalled
from temporal.cli.screen import open_screen
from temporal.cli.thread import told
from temporal.client import UnknownRun, open_agents

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from temporal.client import Agents
    from temporal.settings import Settings
    from workflows.turns import Policy

PROMPT = "> "
NOBODY = "No worker answers at the moment. Start one: `perdure worker`."
HELP = """\
/help       this
/interrupt  stop the turn that runs; so does Ctrl-C while one is shown
/turns      the turns of this thread
/usage      what it has cost
/quit       leave; so do Ctrl-D, and Ctrl-C while nothing is at work
`perdure state`, `history` and `rewind` with the thread's id say and do more."""


def chat(
    settings: Settings,
    agent: str,
    *,
    thread_id: str | None,
    whose: Mapping[str, str | None],
    policy: Policy | None,
    by: Sequence[str],
) -> int:
    """The exit code: 1 where a turn failed and nobody was there to see it. `whose` are the thread's tenant and user."""
    with Background() as background:
        agents = background.call(open_agents(settings))
        decides = by or [getpass.getuser()]
        return Chat(background, agents, agent, thread_id, whose=whose, policy=policy, by=decides).hold()


class Chat:
    def __init__(
        self,
        background: Background,
        agents: Agents,
        agent: str,
        thread_id: str | None,
        *,
        whose: Mapping[str, str | None],
        policy: Policy | None,
        by: Sequence[str],
    ) -> None:
        self._background = background
        self._agents = agents
        self._agent = agent
        self._is_named = thread_id is not None
        self._policy = policy
        self._keyboard = Keyboard()
        self._screen = open_screen()
        self._listener = Listener(agents.thread(agent, thread_id, tenant=whose["tenant"], user=whose["user"]))
        self._dialogue = Dialogue(background, self._listener, self._keyboard, self._screen, by)

    @property
    def _id(self) -> str:
        return self._listener.thread.id

    def hold(self) -> int:
        """Until whoever talks leaves. Then it says how to come back."""
        code = 0
        try:
            self._greet()
            while True:
                self._take(self._keyboard.read(PROMPT))
        except (EOFError, KeyboardInterrupt):
            self._screen.line("")
        except Leave as leaving:
            code = leaving.code
        finally:
            if self._dialogue.has_begun:
                say(f"Come back with `perdure chat {self._agent} --thread {self._id}`.")
        return code or int(self._dialogue.has_failed and not self._keyboard.is_terminal)

    def _greet(self) -> None:
        self._screen.line(Text(f"Thread {self._id}. /help says what can be typed.", "dim"))
        if self._is_named:
            try:
                self._background.call(self._agents.find_thread(self._id))
            except UnknownRun:
                return
            self._dialogue.has_begun = True
            self._recall()

    def _recall(self) -> None:
        """What was said last, and the turns that are not over yet, with what they ask."""
        if (turns := self._asked(self._listener.turns())) is None:
            return
        state = self._background.call(self._listener.state())
        for line in recalled(turns, state, self._agent):
            self._screen.line(Text(line, "dim"))
        for turn in turns.turns:
            if not turn.is_over:
                self._dialogue.hold(self._listener.follow(turn), turn.id)

    def _take(self, text: str) -> None:
        command = text.strip()
        if re.fullmatch(r"/\w+", command):
            self._command(command)
        elif command:
            self._say(text)

    def _say(self, text: str) -> None:
        turn = f"turn-{secrets.token_hex(8)}"
        try:
            self._dialogue.hold(self._listener.converse(text, turn, self._policy), turn)
        except ThreadBusy as error:
            self._screen.line(Text(str(error), "yellow"))

    def _command(self, command: str) -> None:
        match command:
            case "/quit":
                raise Leave
            case "/help":
                self._screen.line(HELP)
            case "/interrupt":
                self._interrupt()
            case "/usage":
                if usage := self._asked(self._listener.usage()):
                    self._screen.line(cost(usage))
            case "/turns":
                turns = self._asked(self._listener.turns())
                for turn in turns.turns if turns else ():
                    self._screen.line(told(turn))
            case unknown:
                self._screen.line(f"There is no {unknown}. /help lists what there is.")

    def _asked(self, query: Any) -> Any:
        try:
            answer = self._background.call(query)
        except UnknownRun:
            self._screen.line("Nothing has been said yet.")
            return None
        if answer is None:
            self._screen.line(Text(NOBODY, "yellow"))
        return answer

    def _interrupt(self) -> None:
        try:
            self._screen.line(told(self._background.call(self._listener.thread.interrupt())))
        except (InvalidInput, UnknownRun) as error:
            self._screen.line(Text(str(error), "yellow"))
