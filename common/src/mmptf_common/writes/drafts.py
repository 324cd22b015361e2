"""Drafts as commands write them: under codes that show nothing, until public records replace them."""

from __future__ import annotations

import secrets

from mmptf_common.storage.journal import Write, state_reasons
from mmptf_common.storage.records import Record
from mmptf_common.writes.commands import Created

# Crockford's base 32, without the letters that are taken for digits or make words.
_CHARACTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CODE_LENGTH = 8


def random_code() -> str:
    """A random code for a draft, such as `D-7K3M9QWT`."""
    return "D-" + "".join(secrets.choice(_CHARACTERS) for _ in range(CODE_LENGTH))


async def new_draft_code(write: Write) -> str:
    """A code that no draft has or has had; it does not show how many there are."""
    had = "SELECT EXISTS (SELECT FROM draft_change WHERE entity = 'draft' AND key = $1)"
    code = random_code()
    while await write.connection.fetchval(had, code):
        code = random_code()
    return code


async def replace_draft(write: Write, draft: Record, by: Created) -> Created:
    """Delete a draft for the record that its submission creates, which the reason of its last change names."""
    await state_reasons(write, {"draft": {draft.code: f"submitted as {by.code}"}})
    await write.session.delete(draft)
    # Flushed, so that the reason is that of this change.
    await write.session.flush()
    return by
