"""Infrastructure: voice applications, the pages people are called from, with their limits and their look."""

from flask import url_for

from webcb.models import VoiceApplication
from webcb.web.admin.editor import Editor, Given, Item, Panel
from webcb.web.admin.finding import Contains
from webcb.web.admin.listing import Column, Listing
from webcb.web.admin.screen import screen

AREA = "infrastructure"

screen(
    "voice-applications",
    AREA,
    Listing(
        "voice-applications",
        "Voice applications",
        VoiceApplication.select,
        VoiceApplication.id,
        (
            Column(
                "name",
                "Name",
                lambda row: row.name,
                order=VoiceApplication.name,
                link=lambda row: url_for("admin.voice_applications_edit", row_id=row.id),
            ),
            Column("type", "Application type", lambda _: "Web callback trigger"),
            Column(
                "page",
                "Callback page",
                lambda row: "/" if row.path == "-" else f"/{row.path}",
                order=VoiceApplication.path,
                link=lambda row: url_for("trigger.page", path=row.path),
            ),
            Column("access_code", "Access code", lambda row: row.access_code),
            Column(
                "picture",
                "Picture",
                lambda row: row.logo_file or "upload one",
                link=lambda row: url_for("admin.picture", row_id=row.id),
            ),
            Column("active", "Active", lambda row: row.active, "yes"),
        ),
        "name",
        search=(Contains(VoiceApplication.name), Contains(VoiceApplication.path)),
        empty="There is no voice application yet. Create one: its page is where callbacks are asked for.",
    ),
    Editor(
        "voice_applications",
        "voice_applications",
        "Voice application",
        AREA,
        (
            Panel(
                "General info",
                (
                    Item("name", "Name", "As in Web callback."),
                    Given("Application type", "Web callback trigger", "A page where people ask to be called."),
                    Item("active", "Active", "Off: its page says that the service is closed."),
                ),
            ),
            Panel(
                "Entry point",
                (
                    Item(
                        "path",
                        "Callback page web address",
                        "The last part of the address you give to your users; a single - is the front page.",
                    ),
                    Item("default_country", "Default country", "Whose dialling habits typed numbers follow."),
                    Item(
                        "kinds",
                        "Kinds of callback",
                        "Simple and Hosted ask for no password: limit who can reach them.",
                        ticked=("simple", "extended", "hosted"),
                    ),
                ),
            ),
            Panel(
                "Authorization",
                (
                    Item(
                        "second_number",
                        "The second number to connect",
                        "Whom a Simple callback is connected with, such as your helpdesk.",
                    ),
                    Item("confirm_by_key", "Confirm by key", "A presses 1 first: a voicemail is never connected."),
                ),
            ),
            Panel(
                "Accounting",
                (
                    Item(
                        "access_code",
                        "Access code",
                        "By which usage charges are looked for; the default is WEBCALLBACK.",
                    ),
                    Item(
                        "internal_account",
                        "Internal account",
                        "Pays for the legs of a Hosted callback until somebody has logged in.",
                    ),
                    Item(
                        "special_charge_if_leg_b_fails",
                        "Special charge if LegB fails",
                        "Leg A is charged by the usage charge CALLBACK_FAIL where B cannot be reached.",
                    ),
                ),
            ),
            Panel(
                "Translation rules",
                (
                    Item(
                        "account_id_rule",
                        "Account ID translation rule",
                        "Makes an account ID of the calling number, as in s/^/cb/.",
                        aid="rule",
                    ),
                ),
            ),
            Panel(
                "Prompts & notifications",
                (
                    Item(
                        "prompts_folder",
                        "Prompts folder",
                        "Its recordings replace the built-in prompts of their names.",
                    ),
                    Item("languages", "Languages", "The first one is spoken; key 3 goes on to the next."),
                ),
            ),
            Panel(
                "Application specific",
                (
                    Item(
                        "use_account_id_as_ani",
                        "Use account ID as ANI",
                        "The digits of the account ID are shown as the calling number.",
                    ),
                    Item("cli", "Calling number shown to A", "Empty: the number of B."),
                    Item(
                        "ring_seconds_a",
                        "A rings at most, seconds",
                        "Then the callback ends; keep it below what a voicemail takes.",
                    ),
                    Item("ring_seconds_b", "B rings at most, seconds", "Then A hears that B does not answer."),
                ),
            ),
            Panel(
                "Limits",
                (
                    Item("talk_seconds_max", "Longest talk, seconds", "Whatever the funds."),
                    Item(
                        "concurrent_per_account",
                        "Callbacks of one account at a time",
                        "A further one is refused on the page.",
                    ),
                    Item("concurrent_per_a", "Callbacks to one A at a time", "Empty: no limit, here and below."),
                    Item(
                        "concurrent_per_b",
                        "Callbacks to one B at a time",
                        "The second number to connect is not counted.",
                    ),
                    Item(
                        "concurrent_per_block",
                        "Callbacks to one block of numbers at a time",
                        "Of a thousand, as below.",
                    ),
                    Item(
                        "concurrent_per_source",
                        "Callbacks from one source address at a time",
                        "Behind one address there may be a whole office.",
                    ),
                    Item("concurrent_max", "Callbacks at a time", "Of all who use this application."),
                    Item(
                        "asks_per_minute",
                        "Asks a minute",
                        "Of all who use this application; the one too many is refused.",
                    ),
                    Item("asks_per_minute_account", "Asks a minute of one account", "Whoever asks for it."),
                    Item(
                        "asks_per_minute_a",
                        "Asks a minute to one A",
                        "So that nobody's phone is made to ring on and on.",
                    ),
                    Item("asks_per_minute_b", "Asks a minute to one B", "The second number to connect is not counted."),
                    Item(
                        "asks_per_minute_block",
                        "Asks a minute to one block of numbers",
                        "Numbers of B that differ in their last three digits only.",
                    ),
                    Item("asks_per_minute_source", "Asks a minute from one source address", "Of IPv6: from one /64."),
                    Item(
                        "daily_spend_max",
                        "Spend a day at most",
                        "All its callbacks, in each currency; what is set aside counts.",
                    ),
                    Item(
                        "daily_spend_max_a",
                        "Spend a day at most, calls to one A",
                        "By the clocks of the time zone below.",
                    ),
                    Item(
                        "daily_spend_max_b",
                        "Spend a day at most, calls to one B",
                        "Both legs count; the second number of Simple has no limit.",
                    ),
                    Item(
                        "daily_spend_max_block",
                        "Spend a day at most, calls to one block of numbers",
                        "Numbers of B that differ in their last three digits only.",
                    ),
                    Item(
                        "daily_spend_max_source",
                        "Spend a day at most, from one source address",
                        "Of IPv6: from one /64.",
                    ),
                ),
            ),
            Panel(
                "Unusual patterns",
                (
                    Item(
                        "unusual_factor",
                        "Alarm at so many times the usual",
                        "An hour of an account, a number, a destination or a source address against its own busiest hours of "
                        "the last four weeks. Empty: nothing is looked for.",
                    ),
                    Item(
                        "unusual_calls",
                        "Never below so many calls an hour",
                        "Who calls rarely is not unusual for calling twice.",
                    ),
                    Item("unusual_charges", "Never below such charges an hour", "In the currency of the calls."),
                    Item(
                        "unusual_short_seconds",
                        "Short are calls up to, seconds",
                        "Many answered calls that end at once are an alarm. Empty: they are not.",
                    ),
                    Item(
                        "unusual_night",
                        "Night",
                        "As in 0-6, by the time zone of the opening hours: then calls to premium numbers, and to countries that "
                        "nobody called for four weeks, are an alarm. Empty: they are not.",
                    ),
                    Item("unusual_mail", "Told by mail to", "Empty: every administrator who has an address."),
                ),
            ),
            Panel(
                "Destinations",
                (
                    Item(
                        "premium_allowed",
                        "Premium, shared-cost, personal, satellite numbers",
                        "May be called. Emergency numbers never are.",
                    ),
                    Item("allowed_prefixes", "Allowed prefixes", "With country code, comma between; empty: all."),
                    Item(
                        "barred_prefixes",
                        "Barred prefixes",
                        "Of an allowed and a barred one that both match, the longer holds.",
                    ),
                    Item("quiet_hours", "Quiet hours", "As in 22-7, where A is; A is not rung then."),
                ),
            ),
            Panel(
                "Who may ask",
                (
                    Item(
                        "allowed_networks", "Allowed networks", "Of Simple and Hosted, comma between; empty: anywhere."
                    ),
                    Item("needs_link", "Signed link", "Simple and Hosted only by a link that `webcb link` made."),
                    Item("challenge_bits", "Challenge, bits", "A sum for the browser; 16 takes a moment."),
                    Item(
                        "prove_a",
                        "Prove A by a code",
                        "The phone is called and told a code, which the page asks for: nobody makes a stranger's phone ring for long.",
                    ),
                    Item("code_paid_by", "That call is paid by", "Of Hosted it is always the internal account."),
                    Item("proof_days", "Days a proven number needs no code", "0: a code for every callback."),
                ),
            ),
            Panel(
                "Look of the page",
                (
                    Item("brand_name", "Name shown", "Empty: the name above."),
                    Item(
                        "logo_file",
                        "Picture",
                        "A .png, .jpg, .webp or .svg file in the folder logos of the data folder; the list has a page to upload one.",
                    ),
                    Item("color", "Colour", "Of buttons and marks, as in #0f766e; it must be dark enough to be read."),
                    Item("headline", "Headline", "For readers of other languages: Talk to us. [pt] Fale conosco."),
                    Item("welcome", "Text below the headline", "Languages as above."),
                    Item("foot_note", "Text at the foot", "As whom to ask for help; languages as above."),
                ),
            ),
            Panel(
                "Button on your own site",
                (
                    Item(
                        "widget_origins",
                        "Sites",
                        "As in https://www.example.com, comma between. There, put one line into a page: "
                        '<script src="https://…/widget/PATH.js" defer></script>',
                    ),
                    Item(
                        "widget_account",
                        "Account that pays",
                        "For Simple: visitors type their number alone. Give it a limit of what it may spend in a day.",
                    ),
                ),
            ),
            Panel(
                "Opening hours",
                (
                    Item(
                        "opening_hours",
                        "Opening hours",
                        "As in hr{9am-5pm} wd{mo-fr}; empty: always open. Outside of them nobody is called.",
                    ),
                    Item("time_zone", "Their time zone", "Of the opening hours."),
                ),
            ),
        ),
        fill=lambda _: {"path": "" if VoiceApplication.select().exists() else "-"},
    ),
    VoiceApplication,
)
