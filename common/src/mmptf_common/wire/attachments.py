"""Documents behind records: links to where they are stored, with the hash of their bytes; none is stored here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from mmptf_common.wire.base import RequestModel, ResponseModel, Text, worded

HttpsAddress = Annotated[
    str,
    Field(
        max_length=2000,
        pattern=worded(
            r"^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?(/[!#-;=?-Z_a-z~]*)?$",
            "an address that begins with https://, without spaces, such as https://docs.example.org/agreement.pdf",
        ),
        examples=["https://docs.example.org/agreement.pdf"],
    ),
]
Sha256 = Annotated[
    str,
    Field(
        pattern=worded(
            r"^[0-9a-f]{64}$",
            "a SHA-256 hash, as 64 hexadecimal digits in lower case, such as the output of sha256sum",
        ),
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]


class AttachmentSent(RequestModel):
    """A document behind a record that is stored elsewhere, and the hash by which anybody knows that it is the same."""

    title: Annotated[Text, Field(max_length=300)]
    """What the document is, such as the administrative arrangement."""
    url: HttpsAddress
    """Where it is stored."""
    sha256: Sha256
    """SHA-256 of its bytes, as 64 hexadecimal digits."""


class Attachment(ResponseModel):
    """A document behind a record that is stored elsewhere, and the hash by which anybody knows that it is the same."""

    title: str
    """What the document is."""
    url: str
    """Where it is stored."""
    sha256: str
    """SHA-256 of its bytes, as 64 hexadecimal digits."""
