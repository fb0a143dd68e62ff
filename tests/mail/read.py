"""Reads mails as a mail program would, with Python's own parser, for the tests.

Takes a JSON array of mails on standard input and writes one of what they say. Independent of how the server writes them.
"""

import json
import sys
from email import message_from_bytes, policy


def people(header):
    return [[person.display_name, person.addr_spec] for person in header.addresses]


def read(raw):
    mail = message_from_bytes(raw.replace("\r\n", "\n").encode(), policy=policy.default)
    parts = list(mail.walk())
    headers = [header for part in parts for header in part.values()]
    defects = [defect for part in parts for defect in part.defects]
    defects += [defect for header in headers for defect in getattr(header, "defects", ())]
    html = mail.get_body(("html",))
    return {
        "names": list(mail.keys()),
        "subject": str(mail["Subject"]),
        "from": people(mail["From"]),
        "to": people(mail["To"]),
        "suppress": mail["X-Auto-Response-Suppress"],
        "auto_submitted": mail["Auto-Submitted"],
        "message_id": mail["Message-ID"],
        "references": mail["References"],
        "text": mail.get_body(("plain",)).get_content(),
        "html": html.get_content() if html else None,
        "defects": [repr(defect) for defect in defects],
    }


if __name__ == "__main__":
    json.dump([read(raw) for raw in json.load(sys.stdin)], sys.stdout)
