-- The truth about the tables. One file for SQLite and PostgreSQL:
--   * `id INTEGER PRIMARY KEY` numbers itself on SQLite; db.py writes it as an identity column for PostgreSQL;
--   * what only one of them understands stands between `--[sqlite`, `--[postgresql` and `--]`.
-- Instants are whole microseconds since 1970 UTC (…_at, …_time); amounts are micros (…_micros); durations carry their unit.
-- webcb/models.py mirrors this file; a test holds the two together.

CREATE TABLE schema_version (
  version INTEGER PRIMARY KEY,
  applied_at BIGINT NOT NULL
);

-- Money ---------------------------------------------------------------------------------------------------------------

-- Funds of an account, or of a customer for its subordinate accounts. balance_micros is what is there (negative: owed);
-- what may still be spent is balance + credit limit - locked. Only billing/ledger.py writes balance and locked.
CREATE TABLE wallet (
  id INTEGER PRIMARY KEY,
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  balance_micros BIGINT NOT NULL DEFAULT 0 CHECK (balance_micros BETWEEN -1000000000000000 AND 1000000000000000),
  credit_limit_micros BIGINT NOT NULL DEFAULT 0 CHECK (credit_limit_micros BETWEEN 0 AND 1000000000000000),
  locked_micros BIGINT NOT NULL DEFAULT 0 CHECK (locked_micros >= 0),
  low_balance_micros BIGINT CHECK (low_balance_micros BETWEEN 0 AND 1000000000000000), -- whose falling below is told; NULL: is not
  ledger_head TEXT NOT NULL DEFAULT '' CHECK (length(ledger_head) IN (0, 64)) -- hash of its newest ledger row, the end of its chain
);

-- Rating --------------------------------------------------------------------------------------------------------------

CREATE TABLE destination (
  id INTEGER PRIMARY KEY,
  prefix TEXT NOT NULL UNIQUE CHECK (prefix = '|' OR (length(prefix) BETWEEN 1 AND 15 AND trim(prefix, '0123456789') = '')),
  country TEXT NOT NULL DEFAULT '' CHECK (length(country) <= 2),
  description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 120)
);

CREATE TABLE off_peak_period (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  definition TEXT NOT NULL CHECK (length(definition) BETWEEN 1 AND 1000)
);

CREATE TABLE tariff (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  service TEXT NOT NULL DEFAULT 'Voice calls' CHECK (service = 'Voice calls'),
  applied_to TEXT NOT NULL DEFAULT 'customer' CHECK (applied_to IN ('customer', 'vendor')),
  managed_by TEXT NOT NULL DEFAULT 'Administrator only' CHECK (managed_by = 'Administrator only'),
  off_peak_period_id BIGINT REFERENCES off_peak_period (id),
  second_off_peak_period_id BIGINT REFERENCES off_peak_period (id), -- off-peak is what lies in either
  off_peak_when TEXT NOT NULL DEFAULT 'starts' CHECK (off_peak_when IN ('starts', 'finishes', 'starts and finishes')),
  free_seconds INTEGER NOT NULL DEFAULT 0 CHECK (free_seconds BETWEEN 0 AND 86400),
  connect_fee_micros BIGINT NOT NULL DEFAULT 0 CHECK (connect_fee_micros BETWEEN 0 AND 1000000000000),
  login_fee_micros BIGINT NOT NULL DEFAULT 0 CHECK (login_fee_micros BETWEEN 0 AND 1000000000000), -- for a log-in by voice
  post_call_surcharge_ppm INTEGER NOT NULL DEFAULT 0 CHECK (post_call_surcharge_ppm BETWEEN 0 AND 10000000),
  decimals INTEGER NOT NULL DEFAULT 5 CHECK (decimals BETWEEN 0 AND 6),
  blocked BOOLEAN NOT NULL DEFAULT FALSE, -- no call by it begins, and those that go on end
  description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 1000),
  CHECK (second_off_peak_period_id IS NULL OR off_peak_period_id IS NOT NULL)
);

-- A rate sheet that was read into a tariff; its rates name it, and `replaced` has those that it took the place of, as JSON.
CREATE TABLE rate_import (
  id INTEGER PRIMARY KEY,
  tariff_id BIGINT NOT NULL REFERENCES tariff (id),
  mode TEXT NOT NULL CHECK (mode IN ('add', 'replace')),
  file_name TEXT NOT NULL CHECK (length(file_name) <= 255),
  at BIGINT NOT NULL,
  made_by TEXT NOT NULL CHECK (length(made_by) BETWEEN 1 AND 64),
  rates INTEGER NOT NULL CHECK (rates >= 0),
  replaced TEXT NOT NULL DEFAULT '[]',
  undone_at BIGINT
);
CREATE INDEX rate_import_tariff ON rate_import (tariff_id);

CREATE TABLE rate (
  id INTEGER PRIMARY KEY,
  tariff_id BIGINT NOT NULL REFERENCES tariff (id),
  destination_id BIGINT NOT NULL REFERENCES destination (id),
  effective_at BIGINT NOT NULL,
  mode TEXT NOT NULL DEFAULT 'flat' CHECK (mode IN ('flat', 'off-peak')),
  first_interval_seconds INTEGER NOT NULL CHECK (first_interval_seconds BETWEEN 1 AND 86400),
  next_interval_seconds INTEGER NOT NULL CHECK (next_interval_seconds BETWEEN 1 AND 86400),
  first_price_micros BIGINT NOT NULL CHECK (first_price_micros BETWEEN 0 AND 1000000000000),
  next_price_micros BIGINT NOT NULL CHECK (next_price_micros BETWEEN 0 AND 1000000000000),
  off_peak_first_interval_seconds INTEGER CHECK (off_peak_first_interval_seconds BETWEEN 1 AND 86400),
  off_peak_next_interval_seconds INTEGER CHECK (off_peak_next_interval_seconds BETWEEN 1 AND 86400),
  off_peak_first_price_micros BIGINT CHECK (off_peak_first_price_micros BETWEEN 0 AND 1000000000000),
  off_peak_next_price_micros BIGINT CHECK (off_peak_next_price_micros BETWEEN 0 AND 1000000000000),
  formula TEXT NOT NULL DEFAULT '' CHECK (length(formula) <= 500),
  forbidden BOOLEAN NOT NULL DEFAULT FALSE,
  discontinued BOOLEAN NOT NULL DEFAULT FALSE,
  rate_import_id BIGINT REFERENCES rate_import (id),
  hidden BOOLEAN NOT NULL DEFAULT FALSE, -- used, and not shown to those who pay by it
  UNIQUE (tariff_id, destination_id, effective_at),
  CHECK (mode = 'flat' OR (off_peak_first_interval_seconds IS NOT NULL AND off_peak_next_interval_seconds IS NOT NULL
    AND off_peak_first_price_micros IS NOT NULL AND off_peak_next_price_micros IS NOT NULL))
);
CREATE INDEX rate_destination ON rate (destination_id);
CREATE INDEX rate_of_import ON rate (rate_import_id) WHERE rate_import_id IS NOT NULL;

-- What one unit of the base currency is worth in `currency`, in micros, from the beginning of `day` (UTC) on. The base is the
-- currency whose own rate is 1.
CREATE TABLE exchange_rate (
  id INTEGER PRIMARY KEY,
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  day TEXT NOT NULL CHECK (length(day) = 10),
  per_base_micros BIGINT NOT NULL CHECK (per_base_micros BETWEEN 1 AND 1000000000000000),
  UNIQUE (currency, day)
);

-- Products ------------------------------------------------------------------------------------------------------------

CREATE TABLE node (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  started_at BIGINT,
  heard_at BIGINT,
  draining BOOLEAN NOT NULL DEFAULT FALSE, -- takes no new callbacks: webcb drain
  holder TEXT NOT NULL DEFAULT '' CHECK (length(holder) <= 96), -- the installation whose engine works under this name
  term BIGINT NOT NULL DEFAULT 0 -- counts how often an engine took the node: who has another number writes nothing
);

CREATE TABLE product (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  visible_name TEXT NOT NULL DEFAULT '' CHECK (length(visible_name) <= 64),
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  profit_guarantee BOOLEAN NOT NULL DEFAULT FALSE, -- a route dearer than what the leg is charged is left out
  self_care TEXT NOT NULL DEFAULT 'funds,calls,statements,top-up,call,numbers' CHECK (length(self_care) <= 60), -- parts owners see
  blocked BOOLEAN NOT NULL DEFAULT FALSE, -- no call of its accounts begins, and those that go on end
  description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 1000)
);

-- A line of the product's rating list: where the service may be used, and at which tariff (domain 4).
CREATE TABLE usage_charge (
  id INTEGER PRIMARY KEY,
  product_id BIGINT NOT NULL REFERENCES product (id),
  node_id BIGINT REFERENCES node (id),
  access_code TEXT NOT NULL DEFAULT '' CHECK (length(access_code) <= 32),
  tariff_id BIGINT NOT NULL REFERENCES tariff (id),
  overdraft_protection TEXT NOT NULL DEFAULT 'slices' CHECK (overdraft_protection IN ('whole balance', 'slices', 'none')),
  slice_seconds INTEGER NOT NULL DEFAULT 60 CHECK (slice_seconds BETWEEN 10 AND 3600)
);
CREATE UNIQUE INDEX usage_charge_place ON usage_charge (product_id, COALESCE(node_id, 0), access_code);
CREATE INDEX usage_charge_tariff ON usage_charge (tariff_id);

-- Work in the background ----------------------------------------------------------------------------------------------

-- What is asked for on a page or the command line and takes longer than a page may. `owner` works at it until `lease_until`;
-- whose lease has run out has died, and another goes on from `kept`.
CREATE TABLE job (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('generate accounts')),
  plan TEXT NOT NULL, -- JSON: what is to be done; no secrets
  asked_at BIGINT NOT NULL,
  asked_by TEXT NOT NULL CHECK (length(asked_by) BETWEEN 1 AND 64),
  mail_to TEXT NOT NULL DEFAULT '' CHECK (length(mail_to) <= 254), -- gets the result; '': nobody
  mail_due_at BIGINT, -- when to send it, or to try again; NULL: nothing is to be sent
  mail_tries INTEGER NOT NULL DEFAULT 0 CHECK (mail_tries >= 0),
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'failed')),
  total INTEGER NOT NULL CHECK (total >= 1),
  done INTEGER NOT NULL DEFAULT 0 CHECK (done >= 0),
  kept TEXT NOT NULL DEFAULT '', -- JSON: where a run that was cut off goes on
  owner TEXT NOT NULL DEFAULT '' CHECK (length(owner) <= 64),
  lease_until BIGINT,
  started_at BIGINT,
  ended_at BIGINT,
  file TEXT NOT NULL DEFAULT '' CHECK (length(file) <= 255), -- the result, below the data folder
  said TEXT NOT NULL DEFAULT '' CHECK (length(said) <= 500), -- to who asked: what became of it
  CHECK ((state IN ('done', 'failed')) = (ended_at IS NOT NULL)),
  CHECK ((state = 'running') = (lease_until IS NOT NULL))
);
CREATE INDEX job_open ON job (state) WHERE state IN ('waiting', 'running');
CREATE INDEX job_mail ON job (mail_due_at) WHERE mail_due_at IS NOT NULL;

-- Customers and accounts ----------------------------------------------------------------------------------------------

CREATE TABLE customer (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  wallet_id BIGINT NOT NULL UNIQUE REFERENCES wallet (id),
  balance_control TEXT NOT NULL DEFAULT 'postpaid' CHECK (balance_control IN ('prepaid', 'postpaid')),
  billing_period TEXT NOT NULL DEFAULT 'monthly'
    CHECK (billing_period IN ('daily', 'weekly', 'semimonthly', 'monthly', 'monthly anniversary', '30 days')),
  billing_time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(billing_time_zone) BETWEEN 1 AND 64),
  created_at BIGINT NOT NULL DEFAULT 0, -- anniversaries count from here
  status TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked', 'closed')),
  mail TEXT NOT NULL DEFAULT '' CHECK (length(mail) <= 254),
  web_login TEXT UNIQUE CHECK (length(web_login) BETWEEN 1 AND 64), -- to self-care, above its accounts; no account has the same
  web_password TEXT NOT NULL DEFAULT '' CHECK (length(web_password) <= 255) -- a hash; '' lets nobody in
);

CREATE TABLE batch (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  customer_id BIGINT NOT NULL REFERENCES customer (id),
  created_at BIGINT NOT NULL
);

-- Who sells cards on to users.
CREATE TABLE distributor (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64)
);

CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  login TEXT NOT NULL UNIQUE CHECK (length(login) BETWEEN 1 AND 64),
  customer_id BIGINT NOT NULL REFERENCES customer (id),
  product_id BIGINT NOT NULL REFERENCES product (id),
  wallet_id BIGINT NOT NULL REFERENCES wallet (id), -- its own, or the customer's where subordinate
  batch_id BIGINT REFERENCES batch (id),
  control_number BIGINT UNIQUE CHECK (control_number BETWEEN 1 AND 9999999999), -- of a generated card: names it without telling its ID
  job_id BIGINT REFERENCES job (id), -- that generated it; until it is done its accounts are inactive
  distributor_id BIGINT REFERENCES distributor (id),
  type TEXT NOT NULL DEFAULT 'debit' CHECK (type IN ('debit', 'credit')),
  balance_control TEXT NOT NULL DEFAULT 'individual' CHECK (balance_control IN ('individual', 'subordinate')),
  service_password TEXT NOT NULL DEFAULT '' CHECK (length(service_password) <= 255), -- a hash; '' lets nobody in
  web_login TEXT UNIQUE CHECK (length(web_login) BETWEEN 1 AND 64), -- to self-care; NULL: none until one is set
  web_password TEXT NOT NULL DEFAULT '' CHECK (length(web_password) <= 255), -- a hash; '' lets nobody in
  blocked BOOLEAN NOT NULL DEFAULT FALSE,
  closed BOOLEAN NOT NULL DEFAULT FALSE,
  activated BOOLEAN NOT NULL DEFAULT TRUE, -- FALSE until somebody activates a card made inactive
  activation_at BIGINT,
  expires_at BIGINT,
  days_after_first_use INTEGER CHECK (days_after_first_use BETWEEN 1 AND 36500),
  days_after_last_use INTEGER CHECK (days_after_last_use BETWEEN 1 AND 36500),
  daily_spend_max_micros BIGINT CHECK (daily_spend_max_micros BETWEEN 0 AND 1000000000000000), -- of a day in its time_zone
  first_used_at BIGINT,
  last_used_at BIGINT,
  time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
  language TEXT NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'es', 'pt', 'fr', 'de', 'ru', 'ar')),
  mail TEXT NOT NULL DEFAULT '' CHECK (length(mail) <= 254),
  e_commerce BOOLEAN NOT NULL DEFAULT FALSE, -- may be topped up through the payment provider
  CHECK (balance_control = 'individual' OR type = 'credit')
);
CREATE INDEX account_customer ON account (customer_id);
CREATE INDEX account_wallet ON account (wallet_id);
CREATE INDEX account_batch ON account (batch_id);
CREATE INDEX account_job ON account (job_id);
CREATE INDEX account_distributor ON account (distributor_id);

-- Who calls from such a number is its account, and is asked for no PIN.
CREATE TABLE trusted_number (
  id INTEGER PRIMARY KEY,
  account_id BIGINT NOT NULL REFERENCES account (id),
  digits TEXT NOT NULL UNIQUE CHECK (length(digits) BETWEEN 5 AND 15 AND trim(digits, '0123456789') = '')
);
CREATE INDEX trusted_number_account ON trusted_number (account_id);

-- Whom the owner of an account calls often.
CREATE TABLE saved_destination (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  digits TEXT NOT NULL CHECK (length(digits) BETWEEN 1 AND 15 AND trim(digits, '0123456789') = ''),
  account_id BIGINT NOT NULL REFERENCES account (id),
  UNIQUE (account_id, digits)
);

-- An owner, of an account or of a customer, who has logged in to self-care. The cookie has the token, this its hash.
CREATE TABLE owner_session (
  id INTEGER PRIMARY KEY,
  token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
  source TEXT NOT NULL CHECK (length(source) <= 64),
  agent TEXT NOT NULL CHECK (length(agent) <= 200),
  began_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  ended_at BIGINT,
  customer_id BIGINT REFERENCES customer (id),
  account_id BIGINT REFERENCES account (id),
  CHECK ((account_id IS NULL) <> (customer_id IS NULL))
);
CREATE INDEX owner_session_account ON owner_session (account_id) WHERE ended_at IS NULL;
CREATE INDEX owner_session_customer ON owner_session (customer_id) WHERE ended_at IS NULL;

-- Somebody who cannot log in to self-care asked for a new password; of nobody where there is no such login. The clerk mails the link.
CREATE TABLE recovery (
  id INTEGER PRIMARY KEY,
  asked_at BIGINT NOT NULL,
  used_at BIGINT,
  mail_due_at BIGINT, -- when to send it, or to try again; NULL: nothing is to be sent
  mail_tries INTEGER NOT NULL DEFAULT 0 CHECK (mail_tries >= 0),
  said TEXT NOT NULL DEFAULT '' CHECK (length(said) <= 500), -- what became of the mail
  customer_id BIGINT REFERENCES customer (id),
  account_id BIGINT REFERENCES account (id)
);
CREATE INDEX recovery_mail ON recovery (mail_due_at) WHERE mail_due_at IS NOT NULL;

-- A top-up through a payment provider. What was paid is posted once, in the transaction that makes it 'paid'.
CREATE TABLE payment (
  id INTEGER PRIMARY KEY,
  reference TEXT NOT NULL UNIQUE CHECK (length(reference) BETWEEN 20 AND 64), -- by which the provider speaks of it
  provider TEXT NOT NULL CHECK (length(provider) BETWEEN 1 AND 64),
  amount_micros BIGINT NOT NULL CHECK (amount_micros BETWEEN 1 AND 1000000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  state TEXT NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'paid', 'declined')),
  asked_at BIGINT NOT NULL,
  ended_at BIGINT,
  account_id BIGINT NOT NULL REFERENCES account (id),
  CHECK ((state = 'asked') = (ended_at IS NULL))
);
CREATE INDEX payment_account ON payment (account_id, id);

-- That funds fell below what their wallet names: once, and again only after they were above. The clerk mails it to the owner.
CREATE TABLE low_balance (
  id INTEGER PRIMARY KEY,
  wallet_id BIGINT NOT NULL REFERENCES wallet (id),
  at BIGINT NOT NULL,
  funds_micros BIGINT NOT NULL, -- balance and credit limit, what is locked included
  threshold_micros BIGINT NOT NULL,
  mail_due_at BIGINT, -- when to send it, or to try again; NULL: nothing is to be sent
  mail_tries INTEGER NOT NULL DEFAULT 0 CHECK (mail_tries >= 0),
  said TEXT NOT NULL DEFAULT '' CHECK (length(said) <= 500) -- what became of the mail
);
CREATE INDEX low_balance_wallet ON low_balance (wallet_id);
CREATE INDEX low_balance_mail ON low_balance (mail_due_at) WHERE mail_due_at IS NOT NULL;

-- Vendors and routing -------------------------------------------------------------------------------------------------

CREATE TABLE vendor (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  billing_time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(billing_time_zone) BETWEEN 1 AND 64)
);

-- Where and how a vendor's switch is reached. The vendor's rates are those of its tariff: a number without one is not routed here.
CREATE TABLE connection (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  vendor_id BIGINT NOT NULL REFERENCES vendor (id),
  tariff_id BIGINT NOT NULL REFERENCES tariff (id),
  host TEXT NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
  port INTEGER CHECK (port BETWEEN 1 AND 65535), -- NULL: as SRV says (RFC 3263)
  transport TEXT NOT NULL DEFAULT 'udp' CHECK (transport IN ('auto', 'udp', 'tcp', 'tls')), -- auto: as NAPTR says
  tls_ca_file TEXT NOT NULL DEFAULT '' CHECK (length(tls_ca_file) <= 1000), -- '': the system's certificate authorities
  tls_certificate_file TEXT NOT NULL DEFAULT '' CHECK (length(tls_certificate_file) <= 1000), -- ours, for the switch that asks
  tls_key_file TEXT NOT NULL DEFAULT '' CHECK (length(tls_key_file) <= 1000), -- '': the key is in the certificate's file
  username TEXT NOT NULL DEFAULT '' CHECK (length(username) <= 128),
  sealed_password TEXT NOT NULL DEFAULT '', -- sealed with the installation's secret key: a copy of the database opens no trunk
  codecs TEXT NOT NULL DEFAULT 'PCMU,PCMA' CHECK (length(codecs) BETWEEN 1 AND 120),
  srtp TEXT NOT NULL DEFAULT 'none' CHECK (srtp IN ('none', 'optional', 'required')), -- keys of SDES; optional: as the switch answers
  tech_prefix TEXT NOT NULL DEFAULT '' CHECK (length(tech_prefix) <= 16),
  number_format TEXT NOT NULL DEFAULT 'digits' CHECK (number_format IN ('digits', 'plus')),
  cld_rule TEXT NOT NULL DEFAULT '' CHECK (length(cld_rule) <= 500), -- translation rules: see webcb/translation.py
  cli_rule TEXT NOT NULL DEFAULT '' CHECK (length(cli_rule) <= 500),
  cli_withheld BOOLEAN NOT NULL DEFAULT FALSE,
  from_user TEXT NOT NULL DEFAULT '' CHECK (length(from_user) <= 64), -- '': the calling number
  from_name TEXT NOT NULL DEFAULT '' CHECK (length(from_name) <= 64),
  from_domain TEXT NOT NULL DEFAULT '' CHECK (length(from_domain) <= 253), -- '': the registrar's, or our address
  identity_headers TEXT NOT NULL DEFAULT '' CHECK (length(identity_headers) <= 120), -- header names, comma between
  identity_user TEXT NOT NULL DEFAULT '' CHECK (length(identity_user) <= 64), -- '': the calling number
  diversion_user TEXT NOT NULL DEFAULT '' CHECK (length(diversion_user) <= 64), -- '': no Diversion header
  capacity INTEGER CHECK (capacity BETWEEN 1 AND 100000),
  calls_per_second INTEGER CHECK (calls_per_second BETWEEN 1 AND 1000), -- NULL: as many as come
  active BOOLEAN NOT NULL DEFAULT TRUE,
  probe_seconds INTEGER CHECK (probe_seconds BETWEEN 5 AND 3600), -- NULL: not probed
  state TEXT NOT NULL DEFAULT 'unknown' CHECK (state IN ('unknown', 'up', 'down')), -- as an engine last saw it
  state_at BIGINT,
  state_reason TEXT NOT NULL DEFAULT '' CHECK (length(state_reason) <= 120),
  must_register BOOLEAN NOT NULL DEFAULT FALSE,
  registrar TEXT NOT NULL DEFAULT '' CHECK (length(registrar) <= 253), -- domain of the address of record; '': host
  register_user TEXT NOT NULL DEFAULT '' CHECK (length(register_user) <= 64), -- '': username
  register_seconds INTEGER NOT NULL DEFAULT 3600 CHECK (register_seconds BETWEEN 60 AND 86400),
  registration TEXT NOT NULL DEFAULT 'none' CHECK (registration IN ('none', 'registered', 'unregistered')), -- as an engine last saw it
  registration_at BIGINT,
  registration_reason TEXT NOT NULL DEFAULT '' CHECK (length(registration_reason) <= 120)
);
CREATE INDEX connection_vendor ON connection (vendor_id);
CREATE INDEX connection_tariff ON connection (tariff_id);

-- What each node may use of a connection's capacity, where several use it: the legs never sum to more (engine/shares.py).
CREATE TABLE connection_share (
  id INTEGER PRIMARY KEY,
  connection_id BIGINT NOT NULL REFERENCES connection (id) ON DELETE CASCADE,
  node_id BIGINT NOT NULL REFERENCES node (id) ON DELETE CASCADE,
  legs INTEGER NOT NULL CHECK (legs >= 0), -- 0 where only its pace is limited
  wanted INTEGER NOT NULL CHECK (wanted >= 0), -- up, and waiting for a turn
  UNIQUE (connection_id, node_id)
);

-- When the next call over a connection may start, on the clock of the database, where several nodes keep one pace (engine/turns.py).
CREATE TABLE connection_pace (
  id INTEGER PRIMARY KEY,
  connection_id BIGINT NOT NULL UNIQUE REFERENCES connection (id) ON DELETE CASCADE,
  next_at BIGINT NOT NULL
);

-- Route data of a vendor's rate; where there is none: category 1, preference 5, no huntstop.
CREATE TABLE route (
  id INTEGER PRIMARY KEY,
  tariff_id BIGINT NOT NULL REFERENCES tariff (id),
  destination_id BIGINT NOT NULL REFERENCES destination (id),
  category INTEGER NOT NULL DEFAULT 1 CHECK (category BETWEEN 1 AND 100),
  preference INTEGER NOT NULL DEFAULT 5 CHECK (preference BETWEEN 0 AND 10),
  huntstop BOOLEAN NOT NULL DEFAULT FALSE,
  UNIQUE (tariff_id, destination_id)
);

-- A number that is another after every change of what prices and routes a call but the rates: who keeps a copy of that looks
-- whether it is still this one. It is drawn, not counted: what a rolled back change left in a copy is not found again.
-- `rates_epoch` is the same of the rates and routes alone. `prefix_lengths` has the bit 1 << n where there is, or was, a destination whose prefix has n digits: a look-up asks for no others.
CREATE TABLE catalog (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  epoch BIGINT NOT NULL,
  prefix_lengths INTEGER NOT NULL DEFAULT 0,
  rates_epoch BIGINT NOT NULL DEFAULT 0
);
--[sqlite
INSERT INTO catalog (id, epoch) VALUES (1, random());
--]
--[postgresql
INSERT INTO catalog (id, epoch) VALUES (1, (random() * 9e15)::BIGINT);
--]

-- Triggers ------------------------------------------------------------------------------------------------------------

CREATE TABLE voice_application (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  path TEXT NOT NULL UNIQUE CHECK (length(path) BETWEEN 1 AND 64), -- the page is /<path>; '-' alone is the front page
  access_code TEXT NOT NULL DEFAULT 'WEBCALLBACK' CHECK (length(access_code) BETWEEN 1 AND 32),
  special_charge_if_leg_b_fails BOOLEAN NOT NULL DEFAULT FALSE,
  use_account_id_as_ani BOOLEAN NOT NULL DEFAULT FALSE,
  cli TEXT NOT NULL DEFAULT '' CHECK (length(cli) <= 15 AND trim(cli, '0123456789') = ''), -- shown to A; '' shows B's number
  default_country TEXT NOT NULL DEFAULT 'US' CHECK (length(default_country) = 2),
  ring_seconds_a INTEGER NOT NULL DEFAULT 45 CHECK (ring_seconds_a BETWEEN 5 AND 300),
  ring_seconds_b INTEGER NOT NULL DEFAULT 60 CHECK (ring_seconds_b BETWEEN 5 AND 300),
  talk_seconds_max INTEGER NOT NULL DEFAULT 7200 CHECK (talk_seconds_max BETWEEN 1 AND 86400),
  concurrent_per_account INTEGER NOT NULL DEFAULT 3 CHECK (concurrent_per_account BETWEEN 1 AND 1000),
  premium_allowed BOOLEAN NOT NULL DEFAULT FALSE, -- premium, shared cost, personal and satellite numbers
  active BOOLEAN NOT NULL DEFAULT TRUE,
  kinds TEXT NOT NULL DEFAULT 'extended' CHECK (length(kinds) BETWEEN 1 AND 40), -- simple, extended, hosted: comma between
  second_number TEXT NOT NULL DEFAULT '' CHECK (length(second_number) <= 15 AND trim(second_number, '0123456789') = ''), -- B of Simple
  internal_account_id BIGINT REFERENCES account (id), -- pays for hosted legs until somebody has logged in
  account_id_rule TEXT NOT NULL DEFAULT '' CHECK (length(account_id_rule) <= 500), -- see webcb/translation.py
  prompts_folder TEXT NOT NULL DEFAULT '' CHECK (length(prompts_folder) <= 64), -- '': the built-in voice alone
  confirm_by_key BOOLEAN NOT NULL DEFAULT FALSE, -- A presses 1 before anything else
  languages TEXT NOT NULL DEFAULT 'en,es,pt,fr,de,ru' CHECK (length(languages) BETWEEN 2 AND 40), -- of prompts, the first one first
  -- Guards (webcb/billing/guard.py); NULL is no limit.
  allowed_prefixes TEXT NOT NULL DEFAULT '' CHECK (length(allowed_prefixes) <= 1000), -- comma between; '': every destination
  barred_prefixes TEXT NOT NULL DEFAULT '' CHECK (length(barred_prefixes) <= 1000),
  quiet_hours TEXT NOT NULL DEFAULT '' CHECK (length(quiet_hours) <= 5), -- where A is, as in 22-7
  asks_per_minute INTEGER CHECK (asks_per_minute BETWEEN 1 AND 100000),
  asks_per_minute_account INTEGER DEFAULT 30 CHECK (asks_per_minute_account BETWEEN 1 AND 100000),
  asks_per_minute_a INTEGER DEFAULT 10 CHECK (asks_per_minute_a BETWEEN 1 AND 100000),
  asks_per_minute_b INTEGER DEFAULT 20 CHECK (asks_per_minute_b BETWEEN 1 AND 100000),
  asks_per_minute_block INTEGER DEFAULT 30 CHECK (asks_per_minute_block BETWEEN 1 AND 100000), -- B without its last 3 digits
  asks_per_minute_source INTEGER DEFAULT 60 CHECK (asks_per_minute_source BETWEEN 1 AND 100000),
  concurrent_max INTEGER CHECK (concurrent_max BETWEEN 1 AND 100000),
  concurrent_per_a INTEGER DEFAULT 3 CHECK (concurrent_per_a BETWEEN 1 AND 100000),
  concurrent_per_b INTEGER DEFAULT 10 CHECK (concurrent_per_b BETWEEN 1 AND 100000),
  concurrent_per_block INTEGER DEFAULT 30 CHECK (concurrent_per_block BETWEEN 1 AND 100000),
  concurrent_per_source INTEGER DEFAULT 30 CHECK (concurrent_per_source BETWEEN 1 AND 100000),
  -- What of an hour is unusual (webcb/billing/pattern.py).
  unusual_factor INTEGER DEFAULT 5 CHECK (unusual_factor BETWEEN 2 AND 1000), -- times the usual; NULL: nothing is looked for
  unusual_calls INTEGER NOT NULL DEFAULT 30 CHECK (unusual_calls BETWEEN 2 AND 1000000), -- fewer are never unusual
  unusual_charges_micros BIGINT NOT NULL DEFAULT 50000000 CHECK (unusual_charges_micros BETWEEN 0 AND 1000000000000000),
  unusual_short_seconds INTEGER DEFAULT 10 CHECK (unusual_short_seconds BETWEEN 1 AND 600), -- NULL: short calls are not looked for
  unusual_night TEXT NOT NULL DEFAULT '0-6' CHECK (length(unusual_night) <= 5), -- by its time zone; '': no night
  unusual_mail TEXT NOT NULL DEFAULT '' CHECK (length(unusual_mail) <= 254), -- who is told; '': every administrator
  daily_spend_max_micros BIGINT CHECK (daily_spend_max_micros BETWEEN 0 AND 1000000000000000), -- of all its callbacks, by its time_zone
  daily_spend_max_a_micros BIGINT CHECK (daily_spend_max_a_micros BETWEEN 0 AND 1000000000000000), -- of those to one A
  daily_spend_max_b_micros BIGINT CHECK (daily_spend_max_b_micros BETWEEN 0 AND 1000000000000000), -- of those to one B
  daily_spend_max_block_micros BIGINT CHECK (daily_spend_max_block_micros BETWEEN 0 AND 1000000000000000), -- to B's that differ in three digits
  daily_spend_max_source_micros BIGINT CHECK (daily_spend_max_source_micros BETWEEN 0 AND 1000000000000000),
  allowed_networks TEXT NOT NULL DEFAULT '' CHECK (length(allowed_networks) <= 1000), -- from where Simple and Hosted are asked for; '': anywhere
  challenge_bits INTEGER CHECK (challenge_bits BETWEEN 8 AND 22), -- of the sum a browser does for Simple and Hosted; NULL: none
  needs_link BOOLEAN NOT NULL DEFAULT FALSE, -- Simple and Hosted are asked for by a signed link alone
  prove_a TEXT NOT NULL DEFAULT 'never' CHECK (prove_a IN ('never', 'without password', 'always')), -- by a code that a call to A says
  code_paid_by TEXT NOT NULL DEFAULT 'account' CHECK (code_paid_by IN ('account', 'internal account')), -- the call that says it
  proof_days INTEGER NOT NULL DEFAULT 90 CHECK (proof_days BETWEEN 0 AND 3650), -- so long a number that was proven needs no code
  -- What its page looks like and when it serves; texts in several languages: see webcb/brand.py.
  brand_name TEXT NOT NULL DEFAULT '' CHECK (length(brand_name) <= 64), -- '': its name
  logo_file TEXT NOT NULL DEFAULT '' CHECK (length(logo_file) <= 64), -- below the data folder's logos/
  color TEXT NOT NULL DEFAULT '' CHECK (length(color) IN (0, 7)), -- #rrggbb
  headline TEXT NOT NULL DEFAULT '' CHECK (length(headline) <= 1000),
  welcome TEXT NOT NULL DEFAULT '' CHECK (length(welcome) <= 1000),
  foot_note TEXT NOT NULL DEFAULT '' CHECK (length(foot_note) <= 1000),
  opening_hours TEXT NOT NULL DEFAULT '' CHECK (length(opening_hours) <= 200), -- as off-peak periods are written; '': always
  time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64), -- of the opening hours
  widget_origins TEXT NOT NULL DEFAULT '' CHECK (length(widget_origins) <= 1000), -- sites that may have its button; comma between
  widget_account_id BIGINT REFERENCES account (id) -- pays for what is asked for by the button; NULL: who presses it says which
);

-- An unusual pattern that the clerk has found (webcb/clerk/patrol.py), with what things were called then.
CREATE TABLE unusual (
  id INTEGER PRIMARY KEY,
  at BIGINT NOT NULL, -- the end of the hour that was looked at
  application TEXT NOT NULL CHECK (length(application) BETWEEN 1 AND 64),
  pattern TEXT NOT NULL CHECK (pattern IN ('many calls', 'high charges', 'short calls', 'night calls')),
  kind TEXT NOT NULL CHECK (kind IN ('account', 'number A', 'number B', 'destination', 'country', 'source')),
  subject TEXT NOT NULL CHECK (length(subject) BETWEEN 1 AND 64),
  seen BIGINT NOT NULL CHECK (seen >= 1), -- calls; of high charges micros
  usual BIGINT NOT NULL CHECK (usual >= 0), -- the same of the busiest hour of a usual day; 0: nothing is known
  currency TEXT NOT NULL DEFAULT '' CHECK (length(currency) IN (0, 3)), -- of high charges
  facts TEXT NOT NULL CHECK (length(facts) <= 2000), -- JSON: pattern.Sums.facts
  closed_at BIGINT, -- an operator has looked at it
  closed_by TEXT NOT NULL DEFAULT '' CHECK (length(closed_by) <= 64),
  mail_due_at BIGINT, -- when to send it, or to try again; NULL: nothing is to be sent
  mail_tries INTEGER NOT NULL DEFAULT 0 CHECK (mail_tries >= 0),
  said TEXT NOT NULL DEFAULT '' CHECK (length(said) <= 500), -- what became of the mail
  CHECK ((closed_at IS NULL) = (closed_by = ''))
);
CREATE INDEX unusual_at ON unusual (at);
CREATE INDEX unusual_open ON unusual (at) WHERE closed_at IS NULL;
CREATE INDEX unusual_mail ON unusual (mail_due_at) WHERE mail_due_at IS NOT NULL;

-- Numbers whose owners pressed 9: they are not called any more.
CREATE TABLE never_call (
  id INTEGER PRIMARY KEY,
  number TEXT NOT NULL UNIQUE CHECK (length(number) BETWEEN 1 AND 15),
  asked_at BIGINT NOT NULL
);

-- Numbers that lead back to us (DIDs): a callback never calls one.
CREATE TABLE own_number (
  id INTEGER PRIMARY KEY,
  digits TEXT NOT NULL UNIQUE CHECK (length(digits) BETWEEN 1 AND 15 AND trim(digits, '0123456789') = ''),
  description TEXT NOT NULL DEFAULT '' CHECK (length(description) <= 120)
);

-- Who runs the service, as statements name it: one row at most.
CREATE TABLE company (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  address TEXT NOT NULL DEFAULT '' CHECK (length(address) <= 200),
  tax_number TEXT NOT NULL DEFAULT '' CHECK (length(tax_number) <= 64),
  phone TEXT NOT NULL DEFAULT '' CHECK (length(phone) <= 40),
  mail TEXT NOT NULL DEFAULT '' CHECK (length(mail) <= 254)
);

-- How often somebody asked of late; see webcb/billing/tally.py. A row whose instant has passed says nothing.
CREATE TABLE tally (
  subject TEXT PRIMARY KEY CHECK (length(subject) BETWEEN 1 AND 200),
  until_at BIGINT NOT NULL
);
CREATE INDEX tally_until ON tally (until_at);

-- What was charged on a day under a limit of the day; see webcb/billing/spending.py.
CREATE TABLE day_spend (
  subject TEXT PRIMARY KEY CHECK (length(subject) BETWEEN 1 AND 200),
  spent_micros BIGINT NOT NULL CHECK (spent_micros >= 0),
  until_at BIGINT NOT NULL
);
CREATE INDEX day_spend_until ON day_spend (until_at);

-- What was erased for good, by keyed digests that nobody reads; every node has it in its data folder, too: see webcb/keeping/forgetting.py.
CREATE TABLE erasure (
  id INTEGER PRIMARY KEY,
  at BIGINT NOT NULL UNIQUE,
  kind TEXT NOT NULL CHECK (kind IN ('number', 'account', 'customer')),
  digest TEXT NOT NULL CHECK (length(digest) = 64)
);

-- Up to when numbers were masked because they are old; see webcb/billing/erasure.py. One row at most.
CREATE TABLE retention (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  masked_until BIGINT NOT NULL
);

-- How often a callback was refused, by the hour.
CREATE TABLE refusal_count (
  id INTEGER PRIMARY KEY,
  hour_at BIGINT NOT NULL,
  reason TEXT NOT NULL CHECK (length(reason) BETWEEN 1 AND 64),
  voice_application_id BIGINT REFERENCES voice_application (id),
  refusals INTEGER NOT NULL CHECK (refusals >= 1)
);
CREATE UNIQUE INDEX refusal_count_of_hour ON refusal_count (hour_at, reason, COALESCE(voice_application_id, 0));

-- By which a program acts for an account (webcb/web/bearer.py); only a hash of it is kept.
CREATE TABLE api_key (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  key_hash TEXT NOT NULL UNIQUE CHECK (length(key_hash) = 64),
  account_id BIGINT REFERENCES account (id), -- for whom it acts; NULL: a key of the operator, for all of them
  voice_application_id BIGINT REFERENCES voice_application (id),
  scopes TEXT NOT NULL CHECK (length(scopes) BETWEEN 1 AND 120), -- comma between
  networks TEXT NOT NULL DEFAULT '' CHECK (length(networks) <= 1000), -- from where it may be used; '': anywhere
  requests_per_minute INTEGER NOT NULL DEFAULT 120 CHECK (requests_per_minute BETWEEN 1 AND 100000),
  expires_at BIGINT,
  revoked_at BIGINT,
  used_at BIGINT, -- to the minute
  made_at BIGINT NOT NULL,
  webhook_url TEXT NOT NULL DEFAULT '' CHECK (length(webhook_url) <= 1000), -- is told of every call placed with the key; '': nobody is
  sealed_webhook_secret TEXT NOT NULL DEFAULT '' CHECK (length(sealed_webhook_secret) <= 500), -- signs what is sent
  CHECK ((account_id IS NULL) = (voice_application_id IS NULL))
);
CREATE INDEX api_key_account ON api_key (account_id);
CREATE INDEX api_key_voice_application ON api_key (voice_application_id);

-- Callbacks -----------------------------------------------------------------------------------------------------------

-- The door between web and engine. The web inserts `requested`; the engine claims it by a conditional UPDATE and writes the rest.
CREATE TABLE callback (
  id TEXT PRIMARY KEY CHECK (length(id) = 20),
  kind TEXT NOT NULL CHECK (kind IN ('simple', 'extended', 'hosted', 'code')), -- code: A alone is called, and told one
  voice_application_id BIGINT NOT NULL REFERENCES voice_application (id),
  account_id BIGINT NOT NULL REFERENCES account (id),
  idempotency_key TEXT NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 64),
  requested_at BIGINT NOT NULL,
  requested_from TEXT NOT NULL DEFAULT '' CHECK (length(requested_from) <= 64), -- source address, or 'cli'
  state TEXT NOT NULL DEFAULT 'requested'
    CHECK (state IN ('requested', 'calling A', 'A answered', 'calling B', 'talking', 'releasing', 'ended')),
  node_id BIGINT REFERENCES node (id), -- who claimed it
  claimed_at BIGINT,
  release_asked_at BIGINT,
  release_asked_by TEXT CHECK (release_asked_by IN ('user', 'operator')),
  talking_at BIGINT, -- B answered
  deadline_at BIGINT, -- the money or the longest talk ends here
  terms TEXT, -- how it may go on, as JSON, once A is in a menu or both talk: what another process needs to carry it on (engine/resumption.py)
  lost_at BIGINT, -- its engine is gone, and was known to live at this moment: it is charged up to here
  ended_at BIGINT,
  ending TEXT, -- engine/causes.py
  logged_in BOOLEAN NOT NULL DEFAULT FALSE, -- by voice: account_id is the user's since then, and no longer the internal account
  UNIQUE (account_id, idempotency_key),
  CHECK ((state = 'ended') = (ended_at IS NOT NULL AND ending IS NOT NULL))
);
CREATE INDEX callback_open ON callback (state) WHERE state <> 'ended';
CREATE INDEX callback_open_of_account ON callback (account_id) WHERE state <> 'ended';
CREATE INDEX callback_open_of_application ON callback (voice_application_id) WHERE state <> 'ended';
CREATE INDEX callback_open_from ON callback (requested_from) WHERE state <> 'ended';
CREATE INDEX callback_requested ON callback (requested_at);
CREATE INDEX callback_ending ON callback (ending, requested_at) WHERE ending IS NOT NULL;
CREATE INDEX callback_hosted_key ON callback (idempotency_key) WHERE kind = 'hosted'; -- whose account changes as somebody logs in

-- A number that somebody is to prove to be at, by the code that a callback of kind 'code' says there. The code itself is in no row: it
-- is computed from the callback's id and the installation's secret key.
CREATE TABLE phone_proof (
  id INTEGER PRIMARY KEY,
  callback_id TEXT NOT NULL UNIQUE REFERENCES callback (id),
  account_id BIGINT NOT NULL REFERENCES account (id), -- for whose callbacks; of a hosted one the internal account
  digits TEXT NOT NULL CHECK (length(digits) BETWEEN 1 AND 15),
  holder TEXT NOT NULL DEFAULT '' CHECK (length(holder) <= 64), -- the visitor who alone it is good for, as in a hosted one; '': the account
  language TEXT NOT NULL DEFAULT 'en' CHECK (length(language) = 2), -- in which it is said
  asked_at BIGINT NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  proven_at BIGINT
);
CREATE INDEX phone_proof_of ON phone_proof (account_id, digits);
CREATE INDEX phone_proof_digits ON phone_proof (digits);

-- Who is told how a callback goes on (webcb/clerk/courier.py): a URL that its order or its API key named.
CREATE TABLE sink (
  id INTEGER PRIMARY KEY,
  callback_id TEXT NOT NULL REFERENCES callback (id),
  api_key_id BIGINT NOT NULL REFERENCES api_key (id),
  url TEXT NOT NULL CHECK (length(url) BETWEEN 1 AND 1000),
  sealed_token TEXT NOT NULL DEFAULT '' CHECK (length(sealed_token) <= 8000), -- of the order; forgotten once all was told
  token_expires_at BIGINT,
  UNIQUE (callback_id, url)
);
CREATE INDEX sink_api_key ON sink (api_key_id);

-- A change of state that a sink is told of. It is due, or was delivered, or was given up and is on the dead list.
CREATE TABLE sink_event (
  id INTEGER PRIMARY KEY,
  sink_id BIGINT NOT NULL REFERENCES sink (id),
  state TEXT NOT NULL CHECK (state IN ('calling A', 'calling B', 'talking', 'ended')), -- of the callback
  at BIGINT NOT NULL,
  due_at BIGINT, -- when it is sent, or tried again; NULL: no more
  tries INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
  delivered_at BIGINT,
  dead_at BIGINT,
  said TEXT NOT NULL DEFAULT '' CHECK (length(said) <= 200), -- what became of the last try
  CHECK (CASE WHEN due_at IS NOT NULL THEN delivered_at IS NULL AND dead_at IS NULL
    ELSE (delivered_at IS NULL) <> (dead_at IS NULL) END)
);
CREATE INDEX sink_event_due ON sink_event (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX sink_event_at ON sink_event (at);
CREATE INDEX sink_event_sink ON sink_event (sink_id);

-- Leg A or B of a callback; a B after which A wanted another is B1, B2 ... once it has ended. `pricing` is what it will be charged by, frozen when it was authorized, as JSON.
CREATE TABLE leg (
  id INTEGER PRIMARY KEY,
  callback_id TEXT NOT NULL REFERENCES callback (id),
  name TEXT NOT NULL CHECK (name = 'A' OR (substr(name, 1, 1) = 'B' AND length(name) <= 4 AND trim(substr(name, 2), '0123456789') = '')),
  cld TEXT NOT NULL CHECK (length(cld) BETWEEN 1 AND 15),
  cli TEXT NOT NULL CHECK (length(cli) <= 15),
  state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'calling', 'ringing', 'answered', 'ended')),
  pricing TEXT,
  pricing_if_b_fails TEXT, -- leg A only, where the trigger charges specially
  vendor_pricings TEXT, -- by what each vendor it may be routed to charges, a line each, until the leg is settled
  placed_at BIGINT,
  ringing_at BIGINT,
  answered_at BIGINT,
  ended_at BIGINT,
  invite TEXT, -- the INVITE in hand as JSON, written before it leaves: what another process needs to cancel it
  dialog TEXT, -- SIP dialog state as JSON once answered, written before its ACK: what another process needs to go on with it
  voice TEXT, -- what was offered and answered last, as JSON; sealed with the secret key where it has keys of SRTP
  rtp_port INTEGER,
  connection_id BIGINT REFERENCES connection (id),
  queue_position INTEGER CHECK (queue_position >= 1), -- its place before a busy connection, 1: the next; NULL: not waiting
  codec TEXT CHECK (length(codec) <= 32), -- of its voice; this and the next ones at the end of an answered leg, of its last engine
  received_packets BIGINT CHECK (received_packets >= 0),
  sent_packets BIGINT CHECK (sent_packets >= 0),
  lost_packets BIGINT CHECK (lost_packets >= 0), -- of those it sent us
  jitter_us BIGINT CHECK (jitter_us >= 0), -- RFC 3550, A.8
  score_milli INTEGER CHECK (score_milli BETWEEN 1000 AND 5000), -- mean opinion score in thousandths; NULL: the codec has none
  one_way BOOLEAN, -- for 5 s it said nothing while the other was heard
  scores TEXT CHECK (length(scores) <= 40000), -- mean opinion scores over time as JSON, noted while it talks: see opinion.py
  UNIQUE (callback_id, name)
);
CREATE INDEX leg_cld ON leg (cld, name);

CREATE INDEX leg_open_to_a ON leg (cld) WHERE name = 'A' AND state <> 'ended';
CREATE INDEX leg_open_to_b ON leg (cld) WHERE name = 'B' AND state <> 'ended';

-- One INVITE to one connection.
CREATE TABLE attempt (
  id INTEGER PRIMARY KEY,
  leg_id BIGINT NOT NULL REFERENCES leg (id),
  position INTEGER NOT NULL CHECK (position >= 1),
  connection_id BIGINT NOT NULL REFERENCES connection (id),
  address TEXT NOT NULL DEFAULT '' CHECK (length(address) <= 80), -- of the connection's, where the INVITE went: "udp 192.0.2.1:5060"
  placed_at BIGINT NOT NULL,
  ended_at BIGINT,
  status INTEGER, -- the final SIP status
  reason TEXT CHECK (length(reason) <= 120),
  setup_ms INTEGER CHECK (setup_ms >= 0), -- post-dial delay
  UNIQUE (leg_id, position)
);
CREATE INDEX attempt_connection ON attempt (connection_id, placed_at);
CREATE INDEX attempt_address ON attempt (address, placed_at);
CREATE INDEX attempt_placed ON attempt (placed_at);

-- A SIP message of a callback that has ended, as it stood on the wire; what proves who we are is masked. Kept for a few days.
CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  callback_id TEXT NOT NULL REFERENCES callback (id),
  position INTEGER NOT NULL CHECK (position >= 1), -- a gap: more were said than are kept
  leg TEXT NOT NULL CHECK (leg IN ('A', 'B')),
  at BIGINT NOT NULL,
  sent BOOLEAN NOT NULL, -- by us
  local_host TEXT NOT NULL,
  local_port INTEGER NOT NULL,
  remote_host TEXT NOT NULL,
  remote_port INTEGER NOT NULL,
  transport TEXT NOT NULL CHECK (transport IN ('udp', 'tcp', 'tls')),
  octets INTEGER NOT NULL, -- on the wire; the text may be cut
  text TEXT NOT NULL CHECK (length(text) <= 8192),
  UNIQUE (callback_id, position)
);
CREATE INDEX message_at ON message (at);

-- Bills ---------------------------------------------------------------------------------------------------------------

-- Funds set aside for a callback while it goes on. wallet.locked_micros is the sum of the held ones.
CREATE TABLE lock (
  id INTEGER PRIMARY KEY,
  callback_id TEXT NOT NULL UNIQUE REFERENCES callback (id),
  wallet_id BIGINT NOT NULL REFERENCES wallet (id),
  amount_micros BIGINT NOT NULL CHECK (amount_micros >= 0),
  state TEXT NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'settled', 'released')),
  locked_at BIGINT NOT NULL,
  closed_at BIGINT,
  CHECK ((state = 'held') = (closed_at IS NULL))
);
CREATE INDEX lock_held ON lock (wallet_id) WHERE state = 'held';

-- One rated leg. Never changed: a refund is another row, with a negative charge, of the one it corrects.
CREATE TABLE xdr (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL DEFAULT 'charge' CHECK (kind IN ('charge', 'refund')),
  refund_of_id BIGINT REFERENCES xdr (id),
  callback_id TEXT NOT NULL REFERENCES callback (id),
  leg TEXT NOT NULL CHECK (leg = 'A' OR (substr(leg, 1, 1) = 'B' AND length(leg) <= 4 AND trim(substr(leg, 2), '0123456789') = '')),
  account_id BIGINT NOT NULL REFERENCES account (id),
  customer_id BIGINT NOT NULL REFERENCES customer (id),
  cli TEXT NOT NULL,
  cld TEXT NOT NULL,
  access_code TEXT NOT NULL,
  destination TEXT NOT NULL, -- the prefix that matched
  tariff TEXT NOT NULL,
  connection_id BIGINT REFERENCES connection (id),
  connect_time BIGINT, -- NULL: never answered
  disconnect_time BIGINT NOT NULL,
  bill_time BIGINT NOT NULL,
  setup_ms INTEGER,
  used_quantity INTEGER NOT NULL CHECK (used_quantity >= 0), -- seconds, rounded up
  charged_quantity INTEGER NOT NULL CHECK (charged_quantity >= 0), -- seconds after intervals
  charged_micros BIGINT NOT NULL,
  currency TEXT NOT NULL,
  vendor_cost_micros BIGINT CHECK (vendor_cost_micros >= 0), -- in the vendor's currency; NULL: no vendor, or no rate of it
  vendor_currency TEXT,
  cost_micros BIGINT CHECK (cost_micros >= 0), -- the same in the currency of the charge; NULL: no exchange rate that day
  currency_per_base_micros BIGINT, -- the two exchange rates by which it was converted; NULL: one currency
  vendor_currency_per_base_micros BIGINT,
  disconnect_cause INTEGER NOT NULL, -- Q.850
  one_way BOOLEAN NOT NULL DEFAULT FALSE, -- for 5 s nothing was heard of the leg while the other spoke
  explanation TEXT NOT NULL, -- JSON: how the amount came about
  CHECK ((kind = 'refund') = (refund_of_id IS NOT NULL)),
  CHECK ((kind = 'refund') = (charged_micros < 0))
);
CREATE UNIQUE INDEX xdr_leg ON xdr (callback_id, leg) WHERE kind = 'charge';
CREATE INDEX xdr_refund ON xdr (refund_of_id) WHERE refund_of_id IS NOT NULL;
CREATE INDEX xdr_account ON xdr (account_id, bill_time);
CREATE INDEX xdr_bill_time ON xdr (bill_time);
CREATE INDEX xdr_cld ON xdr (cld);
CREATE INDEX xdr_callback ON xdr (callback_id);
CREATE INDEX xdr_customer ON xdr (customer_id, bill_time);

-- Every movement of money, once, and with both of its sides: `amount_micros` is what the wallet gets (or, where vendor_id is
-- written, what the vendor is owed more), and the book `against` bears it. The balance of a wallet is the sum of its rows without
-- a vendor. `hash` is over the row, its xDR and the hash of the wallet's row before it: nothing can be changed unseen.
CREATE TABLE ledger (
  id INTEGER PRIMARY KEY,
  event_key TEXT NOT NULL UNIQUE CHECK (length(event_key) BETWEEN 1 AND 120), -- what happened, e.g. charge:<callback>:A
  wallet_id BIGINT NOT NULL REFERENCES wallet (id), -- whose chain it is in
  account_id BIGINT REFERENCES account (id),
  vendor_id BIGINT REFERENCES vendor (id),
  kind TEXT NOT NULL CHECK (kind IN
    ('opening balance', 'charge', 'payment', 'refund', 'manual charge', 'manual credit', 'promotional credit', 'voucher',
     'vendor cost')),
  against TEXT NOT NULL CHECK (against IN
    ('opening', 'revenue', 'payments', 'adjustments', 'promotions', 'vouchers', 'vendor costs')),
  amount_micros BIGINT NOT NULL CHECK (amount_micros <> 0),
  currency TEXT NOT NULL,
  balance_after_micros BIGINT NOT NULL, -- of the wallet
  xdr_id BIGINT REFERENCES xdr (id),
  at BIGINT NOT NULL,
  made_by TEXT NOT NULL CHECK (length(made_by) BETWEEN 1 AND 64),
  note TEXT NOT NULL DEFAULT '' CHECK (length(note) <= 500),
  salt TEXT NOT NULL DEFAULT '' CHECK (length(salt) IN (0, 16)), -- of `personal`; '': event_key, made_by, note were erased
  personal TEXT NOT NULL CHECK (length(personal) = 64), -- digest of those, and of the numbers of its xDR: what the hash is over
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  CHECK (CASE kind WHEN 'charge' THEN xdr_id IS NOT NULL WHEN 'vendor cost' THEN xdr_id IS NOT NULL
    WHEN 'refund' THEN TRUE ELSE xdr_id IS NULL END),
  CHECK ((kind = 'vendor cost') = (vendor_id IS NOT NULL)),
  CHECK ((kind = 'vendor cost') = (against = 'vendor costs'))
);
CREATE UNIQUE INDEX ledger_xdr ON ledger (xdr_id, kind) WHERE xdr_id IS NOT NULL;
CREATE INDEX ledger_wallet ON ledger (wallet_id, id);
CREATE INDEX ledger_wallet_at ON ledger (wallet_id, at, id);

-- A file with everything (keeping/archiving.py); what is older than `before_at` and in it may leave the tables, and does step by step
-- until `ended_at`. Only a row here lets an xDR or a ledger row be deleted.
CREATE TABLE archive (
  id INTEGER PRIMARY KEY,
  before_at BIGINT NOT NULL,
  made_at BIGINT NOT NULL,
  made_by TEXT NOT NULL CHECK (length(made_by) BETWEEN 1 AND 64),
  file TEXT NOT NULL CHECK (length(file) BETWEEN 1 AND 1000), -- where it was written
  sha256 TEXT NOT NULL CHECK (length(sha256) = 64),
  file_rows BIGINT NOT NULL CHECK (file_rows >= 0),
  last_ledger_id BIGINT NOT NULL, -- of what is in the file
  last_xdr_id BIGINT NOT NULL,
  wallet_done BIGINT NOT NULL DEFAULT 0, -- up to this wallet nothing is left to do
  ledger_rows BIGINT NOT NULL DEFAULT 0 CHECK (ledger_rows >= 0), -- that have left; so the next two
  xdrs BIGINT NOT NULL DEFAULT 0 CHECK (xdrs >= 0),
  callbacks BIGINT NOT NULL DEFAULT 0 CHECK (callbacks >= 0),
  ended_at BIGINT
);

-- Where the chain of a wallet goes on from whose oldest rows have left: the hash, the instant and the sum of the last of them.
CREATE TABLE carried_chain (
  id INTEGER PRIMARY KEY,
  wallet_id BIGINT NOT NULL UNIQUE REFERENCES wallet (id),
  hash TEXT NOT NULL CHECK (length(hash) = 64),
  until_at BIGINT NOT NULL,
  balance_micros BIGINT NOT NULL
);

-- What the ledger rows that have left summed to, by book, as the sums of both sides are told (billing/books.py).
CREATE TABLE carried_book (
  id INTEGER PRIMARY KEY,
  book TEXT NOT NULL CHECK (length(book) BETWEEN 1 AND 32),
  currency TEXT NOT NULL,
  amount_micros BIGINT NOT NULL,
  UNIQUE (book, currency)
);

-- Prepaid amounts sold as codes. Only a keyed hash of the code is kept: a copy of the database redeems none.
CREATE TABLE voucher (
  id INTEGER PRIMARY KEY,
  code_hash TEXT NOT NULL UNIQUE CHECK (length(code_hash) = 64),
  series TEXT NOT NULL CHECK (length(series) BETWEEN 1 AND 64), -- those made together
  amount_micros BIGINT NOT NULL CHECK (amount_micros BETWEEN 1 AND 1000000000000000),
  currency TEXT NOT NULL CHECK (length(currency) = 3 AND currency = upper(currency)),
  expires_at BIGINT,
  made_at BIGINT NOT NULL,
  made_by TEXT NOT NULL CHECK (length(made_by) BETWEEN 1 AND 64),
  used_at BIGINT,
  used_by_id BIGINT REFERENCES account (id),
  CHECK ((used_at IS NULL) = (used_by_id IS NULL))
);
CREATE INDEX voucher_series ON voucher (series);
CREATE INDEX voucher_used_by ON voucher (used_by_id) WHERE used_by_id IS NOT NULL;

-- Operators -----------------------------------------------------------------------------------------------------------

CREATE TABLE "user" (
  id INTEGER PRIMARY KEY,
  login TEXT NOT NULL UNIQUE CHECK (length(login) BETWEEN 1 AND 64),
  name TEXT NOT NULL DEFAULT '' CHECK (length(name) <= 64),
  mail TEXT NOT NULL DEFAULT '' CHECK (length(mail) <= 254),
  password TEXT NOT NULL CHECK (length(password) BETWEEN 1 AND 255), -- argon2
  role TEXT NOT NULL CHECK (role IN ('administrator', 'billing', 'support', 'read only')),
  time_zone TEXT NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) BETWEEN 1 AND 64),
  sealed_totp TEXT NOT NULL DEFAULT '', -- the key of the second factor, sealed; '': none
  totp_step BIGINT NOT NULL DEFAULT 0, -- the last time step a code was taken for: none is taken twice
  blocked BOOLEAN NOT NULL DEFAULT FALSE
);

-- An operator who has signed in, until he signs out, is signed out, or stays away. The cookie has the token, this its hash.
CREATE TABLE user_session (
  id INTEGER PRIMARY KEY,
  user_id BIGINT NOT NULL REFERENCES "user" (id),
  token_hash TEXT NOT NULL UNIQUE CHECK (length(token_hash) = 64),
  source TEXT NOT NULL CHECK (length(source) <= 64),
  agent TEXT NOT NULL CHECK (length(agent) <= 200),
  began_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX user_session_user ON user_session (user_id) WHERE ended_at IS NULL;

-- Tries to sign in, of whoever: too many that fail have to wait.
CREATE TABLE sign_in (
  id INTEGER PRIMARY KEY,
  at BIGINT NOT NULL,
  login TEXT NOT NULL CHECK (length(login) <= 64),
  source TEXT NOT NULL CHECK (length(source) <= 64),
  failed BOOLEAN NOT NULL
);
CREATE INDEX sign_in_login ON sign_in (login, at);
CREATE INDEX sign_in_source ON sign_in (source, at);

-- A filter of a list that an operator keeps under a name.
CREATE TABLE saved_filter (
  id INTEGER PRIMARY KEY,
  user_id BIGINT NOT NULL REFERENCES "user" (id),
  listing TEXT NOT NULL CHECK (length(listing) BETWEEN 1 AND 64),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
  query TEXT NOT NULL CHECK (length(query) <= 2000),
  UNIQUE (user_id, listing, name)
);

-- Who changed what, from the command line or the pages.
CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at BIGINT NOT NULL,
  made_by TEXT NOT NULL CHECK (length(made_by) BETWEEN 1 AND 64),
  action TEXT NOT NULL CHECK (length(action) BETWEEN 1 AND 64),
  subject TEXT NOT NULL CHECK (length(subject) <= 120),
  detail TEXT NOT NULL DEFAULT ''
);
CREATE INDEX audit_at ON audit (at);

-- What a person could be known by may be erased (webcb/billing/erasure.py), and nothing else of these rows changes.
-- What is written stays written -----------------------------------------------------------------------------------------

--[sqlite
CREATE TRIGGER xdr_unchangeable BEFORE UPDATE ON xdr WHEN NOT (NEW.id IS OLD.id AND NEW.kind IS OLD.kind AND NEW.refund_of_id IS OLD.refund_of_id AND NEW.callback_id IS OLD.callback_id AND NEW.leg IS OLD.leg AND NEW.account_id IS OLD.account_id AND NEW.customer_id IS OLD.customer_id AND NEW.access_code IS OLD.access_code AND NEW.destination IS OLD.destination AND NEW.tariff IS OLD.tariff AND NEW.connection_id IS OLD.connection_id AND NEW.connect_time IS OLD.connect_time AND NEW.disconnect_time IS OLD.disconnect_time AND NEW.bill_time IS OLD.bill_time AND NEW.setup_ms IS OLD.setup_ms AND NEW.used_quantity IS OLD.used_quantity AND NEW.charged_quantity IS OLD.charged_quantity AND NEW.charged_micros IS OLD.charged_micros AND NEW.currency IS OLD.currency AND NEW.vendor_cost_micros IS OLD.vendor_cost_micros AND NEW.vendor_currency IS OLD.vendor_currency AND NEW.cost_micros IS OLD.cost_micros AND NEW.currency_per_base_micros IS OLD.currency_per_base_micros AND NEW.vendor_currency_per_base_micros IS OLD.vendor_currency_per_base_micros AND NEW.disconnect_cause IS OLD.disconnect_cause AND NEW.one_way IS OLD.one_way AND NEW.explanation IS OLD.explanation AND (NEW.cli IS OLD.cli OR (length(NEW.cli) = length(OLD.cli) AND trim(NEW.cli, 'x') = '')) AND (NEW.cld IS OLD.cld OR (length(NEW.cld) = length(OLD.cld) AND trim(NEW.cld, 'x') = ''))) BEGIN SELECT RAISE(ABORT, 'an xDR is never changed'); END;
CREATE TRIGGER xdr_undeletable BEFORE DELETE ON xdr WHEN NOT EXISTS (SELECT 1 FROM archive WHERE ended_at IS NULL AND before_at > OLD.bill_time AND last_xdr_id >= OLD.id) BEGIN SELECT RAISE(ABORT, 'an xDR is never deleted'); END;
CREATE TRIGGER ledger_unchangeable BEFORE UPDATE ON ledger WHEN NOT (NEW.id IS OLD.id AND NEW.wallet_id IS OLD.wallet_id AND NEW.account_id IS OLD.account_id AND NEW.vendor_id IS OLD.vendor_id AND NEW.kind IS OLD.kind AND NEW.against IS OLD.against AND NEW.amount_micros IS OLD.amount_micros AND NEW.currency IS OLD.currency AND NEW.balance_after_micros IS OLD.balance_after_micros AND NEW.xdr_id IS OLD.xdr_id AND NEW.at IS OLD.at AND NEW.personal IS OLD.personal AND NEW.hash IS OLD.hash AND NEW.salt = '' AND NEW.event_key = 'erased:' || OLD.id AND NEW.made_by = 'erased' AND NEW.note = '') BEGIN SELECT RAISE(ABORT, 'a ledger row is never changed'); END;
CREATE TRIGGER ledger_undeletable BEFORE DELETE ON ledger WHEN NOT EXISTS (SELECT 1 FROM archive WHERE ended_at IS NULL AND before_at > OLD.at AND last_ledger_id >= OLD.id) BEGIN SELECT RAISE(ABORT, 'a ledger row is never deleted'); END;
CREATE TRIGGER audit_unchangeable BEFORE UPDATE ON audit WHEN NOT (NEW.id IS OLD.id AND NEW.at IS OLD.at AND NEW.action IS OLD.action AND (NEW.subject = OLD.subject OR NEW.subject = 'erased') AND (NEW.detail = OLD.detail OR NEW.detail = '') AND (NEW.made_by = OLD.made_by OR NEW.made_by = 'erased')) BEGIN SELECT RAISE(ABORT, 'an audit row is never changed'); END;
CREATE TRIGGER audit_undeletable BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'an audit row is never deleted'); END;
--]
--[postgresql
CREATE FUNCTION stays_written() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION USING MESSAGE = 'a row of ' || TG_TABLE_NAME || ' is never changed or deleted'; END $$;
CREATE FUNCTION leaves_archived_xdr() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF EXISTS (SELECT 1 FROM archive WHERE ended_at IS NULL AND before_at > OLD.bill_time AND last_xdr_id >= OLD.id) THEN RETURN OLD; END IF; RAISE EXCEPTION 'a row of xdr is never changed or deleted'; END $$;
CREATE FUNCTION leaves_archived_ledger() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF EXISTS (SELECT 1 FROM archive WHERE ended_at IS NULL AND before_at > OLD.at AND last_ledger_id >= OLD.id) THEN RETURN OLD; END IF; RAISE EXCEPTION 'a row of ledger is never changed or deleted'; END $$;
CREATE TRIGGER xdr_stays BEFORE TRUNCATE ON xdr EXECUTE FUNCTION stays_written();
CREATE TRIGGER xdr_leaves BEFORE DELETE ON xdr FOR EACH ROW EXECUTE FUNCTION leaves_archived_xdr();
CREATE TRIGGER ledger_stays BEFORE TRUNCATE ON ledger EXECUTE FUNCTION stays_written();
CREATE TRIGGER ledger_leaves BEFORE DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION leaves_archived_ledger();
CREATE TRIGGER audit_stays BEFORE DELETE OR TRUNCATE ON audit EXECUTE FUNCTION stays_written();
CREATE FUNCTION xdr_only_erased() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF NOT (to_jsonb(NEW) - 'cli' - 'cld' = to_jsonb(OLD) - 'cli' - 'cld' AND (NEW.cli = OLD.cli OR (length(NEW.cli) = length(OLD.cli) AND trim(NEW.cli, 'x') = '')) AND (NEW.cld = OLD.cld OR (length(NEW.cld) = length(OLD.cld) AND trim(NEW.cld, 'x') = ''))) THEN RAISE EXCEPTION USING MESSAGE = 'a row of xdr is never changed or deleted'; END IF; RETURN NEW; END $$;
CREATE TRIGGER xdr_only_erased BEFORE UPDATE ON xdr FOR EACH ROW EXECUTE FUNCTION xdr_only_erased();
CREATE FUNCTION ledger_only_erased() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF NOT (to_jsonb(NEW) - 'event_key' - 'made_by' - 'note' - 'salt' = to_jsonb(OLD) - 'event_key' - 'made_by' - 'note' - 'salt' AND NEW.salt = '' AND NEW.event_key = 'erased:' || OLD.id AND NEW.made_by = 'erased' AND NEW.note = '') THEN RAISE EXCEPTION USING MESSAGE = 'a row of ledger is never changed or deleted'; END IF; RETURN NEW; END $$;
CREATE TRIGGER ledger_only_erased BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION ledger_only_erased();
CREATE FUNCTION audit_only_erased() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN IF NOT (to_jsonb(NEW) - 'subject' - 'detail' - 'made_by' = to_jsonb(OLD) - 'subject' - 'detail' - 'made_by' AND (NEW.subject = OLD.subject OR NEW.subject = 'erased') AND (NEW.detail = OLD.detail OR NEW.detail = '') AND (NEW.made_by = OLD.made_by OR NEW.made_by = 'erased')) THEN RAISE EXCEPTION USING MESSAGE = 'a row of audit is never changed or deleted'; END IF; RETURN NEW; END $$;
CREATE TRIGGER audit_only_erased BEFORE UPDATE ON audit FOR EACH ROW EXECUTE FUNCTION audit_only_erased();
--]

-- What changes is noted ------------------------------------------------------------------------------------------------

--[sqlite
CREATE TRIGGER off_peak_period_insert_noted AFTER INSERT ON off_peak_period BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER off_peak_period_update_noted AFTER UPDATE ON off_peak_period BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER off_peak_period_delete_noted AFTER DELETE ON off_peak_period BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER tariff_insert_noted AFTER INSERT ON tariff BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER tariff_update_noted AFTER UPDATE ON tariff BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER tariff_delete_noted AFTER DELETE ON tariff BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER exchange_rate_insert_noted AFTER INSERT ON exchange_rate BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER exchange_rate_update_noted AFTER UPDATE ON exchange_rate BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER exchange_rate_delete_noted AFTER DELETE ON exchange_rate BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER product_insert_noted AFTER INSERT ON product BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER product_update_noted AFTER UPDATE ON product BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER product_delete_noted AFTER DELETE ON product BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER usage_charge_insert_noted AFTER INSERT ON usage_charge BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER usage_charge_update_noted AFTER UPDATE ON usage_charge BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER usage_charge_delete_noted AFTER DELETE ON usage_charge BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER vendor_insert_noted AFTER INSERT ON vendor BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER vendor_update_noted AFTER UPDATE ON vendor BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER vendor_delete_noted AFTER DELETE ON vendor BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER connection_insert_noted AFTER INSERT ON connection BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER connection_update_noted AFTER UPDATE ON connection BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER connection_delete_noted AFTER DELETE ON connection BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER own_number_insert_noted AFTER INSERT ON own_number BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER own_number_update_noted AFTER UPDATE ON own_number BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER own_number_delete_noted AFTER DELETE ON own_number BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER voice_application_insert_noted AFTER INSERT ON voice_application BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER voice_application_update_noted AFTER UPDATE ON voice_application BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER voice_application_delete_noted AFTER DELETE ON voice_application BEGIN UPDATE catalog SET epoch = random(); END;
CREATE TRIGGER destination_insert_length_noted AFTER INSERT ON destination BEGIN UPDATE catalog SET epoch = random(), prefix_lengths = prefix_lengths | (1 << length(NEW.prefix)) WHERE prefix_lengths & (1 << length(NEW.prefix)) = 0; END;
CREATE TRIGGER destination_update_length_noted AFTER UPDATE OF prefix ON destination BEGIN UPDATE catalog SET epoch = random(), prefix_lengths = prefix_lengths | (1 << length(NEW.prefix)) WHERE prefix_lengths & (1 << length(NEW.prefix)) = 0; END;
CREATE TRIGGER destination_update_noted AFTER UPDATE OF prefix ON destination BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER rate_insert_noted AFTER INSERT ON rate BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER rate_update_noted AFTER UPDATE ON rate BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER rate_delete_noted AFTER DELETE ON rate BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER route_insert_noted AFTER INSERT ON route BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER route_update_noted AFTER UPDATE ON route BEGIN UPDATE catalog SET rates_epoch = random(); END;
CREATE TRIGGER route_delete_noted AFTER DELETE ON route BEGIN UPDATE catalog SET rates_epoch = random(); END;
--]
--[postgresql
CREATE FUNCTION catalog_changed() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE catalog SET epoch = (random() * 9e15)::BIGINT; RETURN NULL; END $$;
CREATE TRIGGER off_peak_period_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON off_peak_period EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER tariff_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON tariff EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER exchange_rate_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON exchange_rate EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER product_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON product EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER usage_charge_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON usage_charge EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER vendor_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON vendor EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER connection_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON connection EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER own_number_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON own_number EXECUTE FUNCTION catalog_changed();
CREATE TRIGGER voice_application_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON voice_application EXECUTE FUNCTION catalog_changed();
CREATE FUNCTION prefix_length_noted() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE catalog SET epoch = (random() * 9e15)::BIGINT, prefix_lengths = prefix_lengths | (1 << length(NEW.prefix)) WHERE prefix_lengths & (1 << length(NEW.prefix)) = 0; RETURN NULL; END $$;
CREATE TRIGGER destination_length_noted AFTER INSERT OR UPDATE OF prefix ON destination FOR EACH ROW EXECUTE FUNCTION prefix_length_noted();
CREATE FUNCTION rates_changed() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN UPDATE catalog SET rates_epoch = (random() * 9e15)::BIGINT; RETURN NULL; END $$;
CREATE TRIGGER destination_noted AFTER UPDATE OF prefix ON destination EXECUTE FUNCTION rates_changed();
CREATE TRIGGER rate_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON rate EXECUTE FUNCTION rates_changed();
CREATE TRIGGER route_noted AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON route EXECUTE FUNCTION rates_changed();
--]

-- Engines are rung for -------------------------------------------------------------------------------------------------

-- What an engine looks for: a request, a release, a block, a node that drains, funds. On SQLite the pages ring the one engine there is.
--[postgresql
CREATE FUNCTION engines_rung() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN PERFORM pg_notify('webcb_engines', ''); RETURN NULL; END $$;
CREATE TRIGGER callback_rings AFTER INSERT OR UPDATE OF release_asked_at ON callback EXECUTE FUNCTION engines_rung();
CREATE TRIGGER account_rings AFTER UPDATE OF blocked, closed ON account EXECUTE FUNCTION engines_rung();
CREATE TRIGGER customer_rings AFTER UPDATE OF status ON customer EXECUTE FUNCTION engines_rung();
CREATE TRIGGER product_rings AFTER UPDATE OF blocked ON product EXECUTE FUNCTION engines_rung();
CREATE TRIGGER node_rings AFTER UPDATE OF draining ON node EXECUTE FUNCTION engines_rung();
CREATE TRIGGER ledger_rings AFTER INSERT ON ledger FOR EACH ROW WHEN (NEW.amount_micros > 0 AND NEW.kind NOT IN ('charge', 'vendor cost', 'opening balance')) EXECUTE FUNCTION engines_rung();
--]

-- Who follows a call is told of its states -----------------------------------------------------------------------------

--[sqlite
CREATE TRIGGER callback_state_told AFTER UPDATE OF state ON callback WHEN NEW.state <> OLD.state AND NEW.state IN ('calling A', 'calling B', 'talking', 'ended') BEGIN INSERT INTO sink_event (sink_id, state, at, due_at) SELECT sink.id, NEW.state, COALESCE(NEW.ended_at, NEW.talking_at, leg.placed_at, a.answered_at, NEW.claimed_at, NEW.requested_at), NEW.requested_at FROM sink LEFT JOIN leg ON leg.callback_id = NEW.id AND leg.name = 'B' LEFT JOIN leg AS a ON a.callback_id = NEW.id AND a.name = 'A' WHERE sink.callback_id = NEW.id; END;
--]
--[postgresql
CREATE FUNCTION callback_state_tells() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN INSERT INTO sink_event (sink_id, state, at, due_at) SELECT sink.id, NEW.state, COALESCE(NEW.ended_at, NEW.talking_at, leg.placed_at, a.answered_at, NEW.claimed_at, NEW.requested_at), NEW.requested_at FROM sink LEFT JOIN leg ON leg.callback_id = NEW.id AND leg.name = 'B' LEFT JOIN leg AS a ON a.callback_id = NEW.id AND a.name = 'A' WHERE sink.callback_id = NEW.id; RETURN NULL; END $$;
CREATE TRIGGER callback_state_told AFTER UPDATE OF state ON callback FOR EACH ROW WHEN (NEW.state <> OLD.state AND NEW.state IN ('calling A', 'calling B', 'talking', 'ended')) EXECUTE FUNCTION callback_state_tells();
--]
