"""The answer to a letter's writer, in Hindi and English, for the desk or the mail system to send."""

from agents.mail.letter import Taken

FORM = (
    "जनपद: <जनपद>\nविषय: <विषय>\nमोबाइल: <मोबाइल नंबर>\n\nDistrict: <district>\nCategory: <category>\nMobile: <number>\n"
)
NO_FILES = "संलग्नक नहीं रखे गए।\nAttachments were not kept.\n"


def answer(taken: Taken) -> str:
    """What to write back; empty for a letter of a machine."""
    if taken.automatic:
        return ""
    files = NO_FILES if taken.attachments else ""
    if taken.submitted is not None:
        case = taken.submitted.case
        return f"आपकी शिकायत मिली। संख्या: {case}\nYour complaint was received. Number: {case}\n{files}"
    wrong = "".join(f"- {error.field or 'e-mail'}: {error.detail}\n" for error in taken.errors)
    return (
        "आपका ई-मेल दर्ज नहीं हो सका। कृपया इन पंक्तियों के साथ फिर भेजें, नीचे अपनी शिकायत लिखें:\n"
        "Your e-mail could not be registered. Please send it again with these lines, and your complaint below them:\n\n"
        f"{FORM}\n{wrong}{files}"
    )
