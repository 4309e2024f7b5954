-- Portable between SQLite and PostgreSQL: BIGINT and TEXT only, booleans as 0 and 1,
-- times in Unix milliseconds, amounts in pico-USD.

CREATE TABLE generations (
    id TEXT NOT NULL PRIMARY KEY,
    created_ms BIGINT NOT NULL,
    key_hash TEXT NOT NULL,
    key_name TEXT NOT NULL,
    operation TEXT NOT NULL,
    requested_model TEXT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    upstream_id TEXT,
    status BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    error TEXT,
    streamed BIGINT NOT NULL,
    finish_reason TEXT,
    native_finish_reason TEXT,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    usage_json TEXT NOT NULL,
    usage_estimated BIGINT NOT NULL,
    cost_pico_usd BIGINT NOT NULL,
    prompt_cost_pico_usd BIGINT NOT NULL,
    completion_cost_pico_usd BIGINT NOT NULL,
    price_version TEXT NOT NULL,
    latency_ms BIGINT NOT NULL,
    first_token_ms BIGINT,
    attempts BIGINT NOT NULL,
    end_user TEXT,
    referer TEXT,
    app_title TEXT
);
CREATE INDEX generations_by_time ON generations (created_ms, id);

-- Sums of the generations of a key and a UTC day (days since 1970). The cost is split so that no
-- sum overflows: whole dollars and the rest.
CREATE TABLE key_usage (
    key_hash TEXT NOT NULL,
    day BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cost_whole_usd BIGINT NOT NULL,
    cost_rest_pico_usd BIGINT NOT NULL,
    PRIMARY KEY (key_hash, day)
);

CREATE TABLE api_keys (
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    limit_pico_usd TEXT,
    limit_reset TEXT NOT NULL,
    budget_mode TEXT NOT NULL,
    rate_limit_json TEXT NOT NULL,
    allowed_providers_json TEXT,
    allowed_models_json TEXT,
    expires_ms BIGINT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT
);

-- How far each segment of the journal is applied.
CREATE TABLE journal_segments (
    name TEXT NOT NULL PRIMARY KEY,
    applied_bytes BIGINT NOT NULL
);

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO meta (name, value) VALUES ('keys_version', 0);
