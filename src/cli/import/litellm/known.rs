//! Settings of the proxy without a counterpart, by section, and why.
// tidy: data

use super::super::input::Field;
use super::super::report::Report;

const SINKS: &str = "answers are not sent to logging services: see /metrics, the log and \
                     `arouter usage export`";
const CACHE: &str = "answers are not cached";
const SHARED: &str = "counters are not shared between processes";
const OWN_DATABASE: &str = "the store has no such setting";
const ALERTS: &str = "alerts come from what reads /metrics";
const SIGN_IN: &str = "callers have keys; other ways to sign in are not supported";
const KEYS: &str = "keys are made with `arouter keys` only";
const RETRIES: &str = "what is tried again depends on the error and is not configurable";
const NO_SUCH: &str = "has no counterpart";
const ROUTES: &str = "routes are not configurable; the admin listener has a port of its own";
const SERVICE: &str = "this part of LiteLLM has no counterpart";

/// Section, its settings, the reason. Section "" is the top level.
const KNOWN: &[(&str, &[&str], &str)] = &[
    (
        "",
        &[
            "callback_settings",
            "guardrails",
            "mcp_servers",
            "mcp_tools",
            "search_tools",
            "vector_store_registry",
            "prompts",
            "files_settings",
            "finetune_settings",
            "assistant_settings",
            "policies",
            "agent_list",
            "tools",
            "worker_registry",
        ],
        SERVICE,
    ),
    (
        "litellm_settings",
        &[
            "success_callback",
            "failure_callback",
            "callbacks",
            "service_callbacks",
            "audit_log_callbacks",
            "turn_off_message_logging",
            "redact_user_api_key_info",
            "langfuse_default_tags",
            "redact_messages_in_exceptions",
            "log_raw_request_response",
            "prometheus_metrics_config",
            "prometheus_initialize_budget_metrics",
            "custom_prometheus_metadata_labels",
            "custom_prometheus_tags",
            "disable_end_user_cost_tracking",
            "disable_end_user_cost_tracking_prometheus_only",
            "store_audit_logs",
            "s3_callback_params",
            "datadog_params",
            "langsmith_batch_size",
        ],
        SINKS,
    ),
    (
        "litellm_settings",
        &["cache", "cache_params", "enable_caching_on_provider_specific_optional_params"],
        CACHE,
    ),
    (
        "litellm_settings",
        &["drop_params", "modify_params", "additional_drop_params"],
        "there is no such switch: a request in the provider's own format passes as it is, one that \
         is translated keeps what the other format knows",
    ),
    (
        "litellm_settings",
        &[
            "max_budget",
            "budget_duration",
            "max_end_user_budget",
            "max_internal_user_budget",
            "internal_user_budget_duration",
            "default_internal_user_params",
            "default_team_params",
            "default_team_settings",
            "upperbound_key_generate_params",
            "key_generation_settings",
            "default_key_generate_params",
            "enable_key_alias_format_validation",
            "default_max_internal_user_budget",
            "default_internal_user_budget_duration",
        ],
        KEYS,
    ),
    (
        "litellm_settings",
        &[
            "force_ipv4",
            "enable_preview_features",
            "enable_json_schema_validation",
            "disable_hf_tokenizer_download",
            "disable_add_transform_inline_image_block",
            "use_chat_completions_url_for_anthropic_messages",
            "mcp_aliases",
            "tag_budget_config",
            "disable_copilot_system_to_assistant",
            "ssl_verify",
            "aws_sqs_callback_params",
            "forward_traceparent_to_llm_provider",
            "add_function_to_prompt",
            "public_model_groups",
            "allowed_openai_params",
            "priority_reservation",
            "user_url_validation",
            "model_group_settings",
            "suppress_debug_info",
            "modify_response_headers",
        ],
        NO_SUCH,
    ),
    (
        "router_settings",
        &[
            "redis_host",
            "redis_port",
            "redis_password",
            "redis_url",
            "redis_db",
            "redis_username",
            "cache_responses",
            "cache_kwargs",
            "caching_groups",
            "client_ttl",
        ],
        SHARED,
    ),
    (
        "router_settings",
        &[
            "retry_policy",
            "model_group_retry_policy",
            "retry_after",
            "max_retries",
            "allowed_fails_policy",
            "disable_cooldowns",
            "max_fallbacks",
        ],
        RETRIES,
    ),
    (
        "router_settings",
        &[
            "enable_pre_call_checks",
            "enable_pre_call_check",
            "optional_pre_call_checks",
            "routing_strategy_args",
            "routing_groups",
            "enable_tag_filtering",
            "tag_filtering_match_any",
            "default_max_parallel_requests",
            "default_priority",
            "polling_interval",
            "default_litellm_params",
            "debug_level",
            "set_verbose",
            "provider_budget_config",
            "enable_health_check_routing",
            "weights",
            "ignore_invalid_deployments",
            "alerting_config",
            "assistants_config",
            "model_group_affinity_config",
            "deployment_affinity_ttl_seconds",
            "router_general_settings",
        ],
        NO_SUCH,
    ),
    (
        "general_settings",
        &[
            "database_connection_pool_limit",
            "database_connection_timeout",
            "database_type",
            "database_args",
            "allow_requests_on_db_unavailable",
            "disable_prisma_schema_update",
            "proxy_batch_write_at",
            "proxy_batch_polling_interval",
            "store_model_in_db",
            "supported_db_objects",
            "use_redis_transaction_buffer",
            "database_socket_timeout",
        ],
        OWN_DATABASE,
    ),
    (
        "general_settings",
        &[
            "disable_spend_logs",
            "disable_spend_updates",
            "store_prompts_in_spend_logs",
            "maximum_spend_logs_retention_period",
            "maximum_spend_logs_retention_interval",
            "disable_error_logs",
            "maximum_spend_logs_cleanup_cron",
        ],
        "every request is recorded, without its body, and kept",
    ),
    (
        "general_settings",
        &[
            "alerting",
            "alerting_threshold",
            "alert_types",
            "alerting_args",
            "alert_to_webhook_url",
            "spend_report_frequency",
        ],
        ALERTS,
    ),
    (
        "general_settings",
        &[
            "custom_auth",
            "custom_sso",
            "enable_jwt_auth",
            "litellm_jwtauth",
            "enable_oauth2_auth",
            "enable_oauth2_proxy_auth",
            "oauth2_config_mappings",
            "allow_user_auth",
            "ui_access_mode",
            "allow_client_side_credentials",
            "custom_ui_sso_sign_in_handler",
            "use_client_credentials_pass_through_routes",
            "ui_username",
            "ui_password",
        ],
        SIGN_IN,
    ),
    (
        "general_settings",
        &[
            "custom_key_generate",
            "default_team_disabled",
            "service_account_settings",
            "key_management_system",
            "key_management_settings",
            "use_azure_key_vault",
            "use_google_kms",
            "disable_master_key_return",
            "disable_adding_master_key_hash_to_db",
            "disable_reset_budget",
            "proxy_budget_rescheduler_min_time",
            "proxy_budget_rescheduler_max_time",
            "user_api_key_cache_ttl",
            "litellm_key_header_name",
        ],
        KEYS,
    ),
    (
        "general_settings",
        &[
            "allowed_routes",
            "admin_only_routes",
            "public_routes",
            "pass_through_endpoints",
            "allowed_ips",
            "use_x_forwarded_for",
        ],
        ROUTES,
    ),
    (
        "general_settings",
        &[
            "max_parallel_requests",
            "global_max_parallel_requests",
            "max_response_size_mb",
            "background_health_checks",
            "health_check_interval",
            "health_check_details",
            "infer_model_from_keys",
            "enforce_user_param",
            "enforced_params",
            "reject_clientside_metadata_tags",
            "forward_openai_org_id",
            "forward_client_headers_to_llm_api",
            "image_generation_model",
            "embedding_model",
            "moderation_model",
            "litellm_license",
            "disable_responses_id_security",
            "disable_retry_on_max_parallel_request_limit_error",
            "user_mcp_management_mode",
            "add_user_information_to_llm_headers",
            "use_shared_health_check",
            "coordination_redis",
        ],
        NO_SUCH,
    ),
];

/// Notes each of them that is written.
pub(super) fn convert(root: &Field<'_>, report: &mut Report) {
    for (section, names, reason) in KNOWN {
        let found = names.iter().filter_map(|name| match *section {
            "" => root.get(name),
            section => root.get(section)?.get(name),
        });
        found.for_each(|field| report.unsupported(&field, *reason));
    }
    if let Some(field) = root.get("include") {
        report.manual(&field, "included files are not read: import each of them, and merge");
    }
    if let Some(field) = root.get("credential_list") {
        report.manual(&field, "credentials are not copied: see `keys` of the providers");
    }
}
