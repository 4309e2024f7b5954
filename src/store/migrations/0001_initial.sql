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
    -- The four counts that are summed; usage_json has all of them.
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    cached_tokens BIGINT,
    reasoning_tokens BIGINT,
    usage_json TEXT NOT NULL,
    usage_estimated BIGINT NOT NULL,
    cost_pico_usd BIGINT NOT NULL,
    prompt_cost_pico_usd BIGINT NOT NULL,
    completion_cost_pico_usd BIGINT NOT NULL,
    price_version TEXT NOT NULL,
    is_byok BIGINT NOT NULL,
    service_tier TEXT,
    latency_ms BIGINT NOT NULL,
    first_token_ms BIGINT,
    attempts BIGINT NOT NULL,
    failed_attempts TEXT,
    end_user TEXT,
    referer TEXT,
    app_title TEXT,
    app_categories TEXT,
    session_id TEXT,
    user_agent TEXT
);
CREATE INDEX generations_by_time ON generations (created_ms, id);
CREATE INDEX generations_by_user ON generations (key_hash, end_user, created_ms)
    WHERE end_user IS NOT NULL;

-- Requests that a process has sent to a provider and not settled yet; record_json is what becomes
-- of one if the process never does.
CREATE TABLE open_requests (
    id TEXT NOT NULL PRIMARY KEY,
    process TEXT NOT NULL,
    record_json TEXT NOT NULL
);
CREATE INDEX open_requests_by_process ON open_requests (process);

-- Sums of the generations by UTC day (days since 1970). They outlive the generations. An amount is
-- split so that no sum of any of its columns overflows: whole micro-USD, and a rest below one.
CREATE TABLE daily_usage (
    key_hash TEXT NOT NULL,
    day BIGINT NOT NULL,
    model TEXT NOT NULL,
    provider TEXT NOT NULL,
    is_byok BIGINT NOT NULL,
    requests BIGINT NOT NULL,
    prompt_tokens BIGINT NOT NULL,
    completion_tokens BIGINT NOT NULL,
    cached_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    cost_micro_usd BIGINT NOT NULL,
    cost_rest_pico_usd BIGINT NOT NULL,
    last_used_ms BIGINT NOT NULL,
    PRIMARY KEY (key_hash, day, model, provider, is_byok)
);
CREATE INDEX daily_usage_by_day ON daily_usage (day);

CREATE TABLE api_keys (
    hash TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    disabled BIGINT NOT NULL,
    limit_pico_usd TEXT,
    limit_reset TEXT NOT NULL,
    budget_mode TEXT NOT NULL,
    include_byok_in_limit BIGINT NOT NULL,
    rate_limit_json TEXT NOT NULL,
    allowed_providers_json TEXT,
    allowed_models_json TEXT,
    enforce_zdr BIGINT NOT NULL,
    creator_hash TEXT,
    expires_ms BIGINT,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT
);

-- Money put on the account, or taken off it by a correction (a negative amount). Split as above.
CREATE TABLE credits (
    id TEXT NOT NULL PRIMARY KEY,
    created_ms BIGINT NOT NULL,
    amount_micro_usd BIGINT NOT NULL,
    amount_rest_pico_usd BIGINT NOT NULL,
    description TEXT NOT NULL,
    actor TEXT NOT NULL
);

-- What was answered to a change that named an Idempotency-Key; the body is encrypted, in base64.
CREATE TABLE idempotent_answers (
    scope TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    status BIGINT NOT NULL,
    sealed_body TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    PRIMARY KEY (scope, idempotency_key)
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
