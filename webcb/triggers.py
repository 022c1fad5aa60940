"""The tables of what callbacks are asked for at, one peewee class each: fields, no behaviour. `models` gathers them with the others."""

from peewee import BigIntegerField, BooleanField, ForeignKeyField, IntegerField, TextField

from webcb.sales import Account
from webcb.table import InstantField, Table


class VoiceApplication(Table):
    name = TextField(unique=True)
    path = TextField(unique=True)
    access_code = TextField(default="WEBCALLBACK")
    special_charge_if_leg_b_fails = BooleanField(default=False)
    use_account_id_as_ani = BooleanField(default=False)
    cli = TextField(default="")
    default_country = TextField(default="US")
    ring_seconds_a = IntegerField(default=45)
    ring_seconds_b = IntegerField(default=60)
    talk_seconds_max = IntegerField(default=7200)
    concurrent_per_account = IntegerField(default=3)
    premium_allowed = BooleanField(default=False)
    active = BooleanField(default=True)
    kinds = TextField(default="extended")
    second_number = TextField(default="")
    internal_account = ForeignKeyField(Account, null=True)
    account_id_rule = TextField(default="")
    prompts_folder = TextField(default="")
    confirm_by_key = BooleanField(default=False)
    languages = TextField(default="en,es,pt,fr,de,ru")
    allowed_prefixes = TextField(default="")
    barred_prefixes = TextField(default="")
    quiet_hours = TextField(default="")
    asks_per_minute = IntegerField(null=True)
    asks_per_minute_account = IntegerField(null=True, default=30)
    asks_per_minute_a = IntegerField(null=True, default=10)
    asks_per_minute_b = IntegerField(null=True, default=20)
    asks_per_minute_block = IntegerField(null=True, default=30)
    asks_per_minute_source = IntegerField(null=True, default=60)
    concurrent_max = IntegerField(null=True)
    concurrent_per_a = IntegerField(null=True, default=3)
    concurrent_per_b = IntegerField(null=True, default=10)
    concurrent_per_block = IntegerField(null=True, default=30)
    concurrent_per_source = IntegerField(null=True, default=30)
    unusual_factor = IntegerField(null=True, default=5)
    unusual_calls = IntegerField(default=30)
    unusual_charges_micros = BigIntegerField(default=50_000_000)
    unusual_short_seconds = IntegerField(null=True, default=10)
    unusual_night = TextField(default="0-6")
    unusual_mail = TextField(default="")
    daily_spend_max_micros = BigIntegerField(null=True)
    daily_spend_max_a_micros = BigIntegerField(null=True)
    daily_spend_max_source_micros = BigIntegerField(null=True)
    allowed_networks = TextField(default="")
    challenge_bits = IntegerField(null=True)
    needs_link = BooleanField(default=False)
    prove_a = TextField(default="never")
    code_paid_by = TextField(default="account")
    proof_days = IntegerField(default=90)
    brand_name = TextField(default="")
    logo_file = TextField(default="")
    color = TextField(default="")
    headline = TextField(default="")
    welcome = TextField(default="")
    foot_note = TextField(default="")
    opening_hours = TextField(default="")
    time_zone = TextField(default="UTC")
    widget_origins = TextField(default="")
    widget_account = ForeignKeyField(Account, null=True)


class ApiKey(Table):
    name = TextField(unique=True)
    key_hash = TextField(unique=True)
    account = ForeignKeyField(Account, null=True)
    voice_application = ForeignKeyField(VoiceApplication, null=True)
    scopes = TextField()
    networks = TextField(default="")
    requests_per_minute = IntegerField(default=120)
    expires_at = InstantField(null=True)
    revoked_at = InstantField(null=True)
    used_at = InstantField(null=True)
    made_at = InstantField()
    webhook_url = TextField(default="")
    sealed_webhook_secret = TextField(default="")


class RefusalCount(Table):
    hour_at = InstantField()
    reason = TextField()
    voice_application = ForeignKeyField(VoiceApplication, null=True)
    refusals = IntegerField()

    class Meta:
        table_name = "refusal_count"
