//! Built-in samples: kind, format and body, written for breadth: each holds most of what its
//! format knows.
// tidy: data

use arouter::formats::ApiFormat::{
    self, Anthropic, Bedrock, Completions, Gemini, OpenAiChat, OpenAiResponses,
};

/// A kind, a format and a body.
type Sample = (&'static str, ApiFormat, &'static str);

/// All samples.
pub(super) const SAMPLES: &[Sample] = &[
    (
        "request",
        OpenAiChat,
        r#"{"model":"m","messages":[{"role":"system","content":"Be \"brief\"."},{"role":"user","name":"ann","content":[{"type":"text","text":"Look: ü😀","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"low"}},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="}},{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]},{"role":"assistant","content":null,"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"sig","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"gsig","format":"google-gemini-v1","id":"c1","index":1}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"look.up","arguments":"{\"n\":12345678901234567890,\"a\":[1.0]}"}}]},{"role":"tool","tool_call_id":"c1","content":[{"type":"text","text":"42"}]},{"role":"user","content":"Go on."}],"tools":[{"type":"function","function":{"name":"look.up","description":"finds","parameters":{"type":"object","properties":{"n":{"type":"integer"}},"$defs":{}},"strict":true}},{"type":"custom","custom":{"name":"free","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"s: /a/"}}}}],"tool_choice":{"type":"function","function":{"name":"look.up"}},"parallel_tool_calls":false,"max_completion_tokens":2000,"temperature":1.5,"top_p":0.5,"top_k":40,"n":1,"stop":["END"," "],"seed":7,"presence_penalty":0.5,"frequency_penalty":-0.5,"logprobs":true,"top_logprobs":2,"logit_bias":{"1":2},"response_format":{"type":"json_schema","json_schema":{"name":"out","schema":{"type":"object","properties":{}},"strict":true}},"reasoning":{"effort":"high"},"user":"u","metadata":{"a":"b"},"service_tier":"flex","modalities":["text"],"stream":true,"stream_options":{"include_usage":true},"web_search_options":{}}"#,
    ),
    (
        "request",
        OpenAiChat,
        r#"{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"","function_call":{"name":"f","arguments":""}},{"role":"function","name":"f","content":"1"},{"role":"developer","content":"x"},{"role":"assistant","refusal":"No.","audio":{"id":"a1"}},{"role":"user","content":"?"}],"functions":[{"name":"f"}],"function_call":"auto","reasoning_effort":"none","response_format":{"type":"json_object"},"prediction":{"type":"content","content":"x"},"verbosity":"low","store":true,"model":"m"}"#,
    ),
    (
        "request",
        OpenAiResponses,
        r#"{"model":"m","instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"Look"},{"type":"input_image","image_url":"data:image/png;base64,aGk=","detail":"high"},{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,aGk="}]},{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"enc"},{"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}","id":"fc_1","status":"completed"},{"type":"function_call_output","call_id":"c1","output":"42"},{"type":"custom_tool_call","call_id":"c2","name":"free","input":"abc"},{"type":"custom_tool_call_output","call_id":"c2","output":"ok"},{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"Hi","annotations":[]},{"type":"refusal","refusal":"No."}]},{"role":"user","content":"Go on"}],"tools":[{"type":"function","name":"f","parameters":{"type":"object","properties":{}},"strict":false,"description":"d"},{"type":"custom","name":"free"},{"type":"web_search"}],"tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":true,"max_output_tokens":500,"temperature":0.2,"top_p":1,"text":{"format":{"type":"json_schema","name":"o","schema":{"type":"object"}},"verbosity":"high"},"reasoning":{"effort":"low","summary":"auto"},"include":["reasoning.encrypted_content"],"store":false,"stream":true,"user":"u","metadata":{"k":"v"},"prompt_cache_key":"p","service_tier":"auto","truncation":"disabled"}"#,
    ),
    ("request", OpenAiResponses, r#"{"model":"m","input":"Hello"}"#),
    (
        "request",
        Anthropic,
        r#"{"model":"m","max_tokens":1024,"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":[{"type":"text","text":"Look"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},{"type":"document","source":{"type":"url","url":"https://example.com/a.pdf"},"title":"A","citations":{"enabled":true}}]},{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"sig"},{"type":"redacted_thinking","data":"red"},{"type":"text","text":"I look."},{"type":"tool_use","id":"toolu_1","name":"look","input":{"n":1.50,"m":12345678901234567890}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"42"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}}],"is_error":true},{"type":"text","text":"Go on"}]}],"tools":[{"name":"look","description":"d","input_schema":{"type":"object","properties":{"n":{"type":"number"}}},"cache_control":{"type":"ephemeral","ttl":"5m"}},{"type":"web_search_20250305","name":"web_search","max_uses":2}],"tool_choice":{"type":"tool","name":"look","disable_parallel_tool_use":true},"stop_sequences":["END"],"temperature":0.3,"top_p":0.9,"top_k":5,"thinking":{"type":"enabled","budget_tokens":2000},"metadata":{"user_id":"u"},"service_tier":"standard_only","stream":true,"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}}}"#,
    ),
    (
        "request",
        Anthropic,
        r#"{"model":"m","max_tokens":1,"system":"x","messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"The answer is "}],"thinking":{"type":"disabled"}}"#,
    ),
    (
        "request",
        Gemini,
        r#"{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"Look"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.com/a.pdf"}}]},{"role":"model","parts":[{"text":"hm","thought":true,"thoughtSignature":"sig"},{"functionCall":{"id":"c1","name":"f","args":{"b":1,"a":2.0}},"thoughtSignature":"sig2"},{"functionCall":{"name":"f","args":{}}}]},{"role":"user","parts":[{"functionResponse":{"id":"c1","name":"f","response":{"result":"42"}}},{"functionResponse":{"name":"f","response":{"error":"no"}}},{"text":"Go on"}]}],"tools":[{"functionDeclarations":[{"name":"f","description":"d","parameters":{"type":"OBJECT","properties":{"a":{"type":"NUMBER","nullable":true}}}}]},{"googleSearch":{}}],"toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}},"generationConfig":{"temperature":1,"topP":0.5,"topK":3,"maxOutputTokens":100,"stopSequences":["E"],"candidateCount":1,"seed":1,"presencePenalty":0.1,"frequencyPenalty":0.1,"responseLogprobs":true,"logprobs":2,"responseMimeType":"application/json","responseSchema":{"type":"OBJECT"},"thinkingConfig":{"thinkingBudget":100,"includeThoughts":true},"responseModalities":["TEXT"]},"safetySettings":[{"category":"X","threshold":"Y"}],"labels":{"a":"b"}}"#,
    ),
    (
        "request",
        Gemini,
        r#"{"contents":{"parts":{"text":"Hi"}},"system_instruction":"x","generation_config":{"thinking_config":{"thinking_level":"low"},"response_mime_type":"text/x.enum","response_schema":{"type":"STRING","enum":["a","b"]}}}"#,
    ),
    (
        "request",
        Completions,
        r#"{"model":"m","prompt":["Say \"hi\""],"max_tokens":7,"temperature":0,"n":1,"stop":"\n","logprobs":2,"echo":false,"best_of":1,"logit_bias":{},"suffix":null,"user":"u","stream":true}"#,
    ),
    (
        "answer",
        OpenAiChat,
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"up","system_fingerprint":"fp","service_tier":"default","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"Hi ü😀","refusal":null,"reasoning":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"g","format":"google-gemini-v1","id":"c1"}],"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"abc"}}],"annotations":[{"type":"url_citation","url_citation":{"url":"https://example.com","title":"t","start_index":0,"end_index":2}}],"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}}]},"logprobs":{"content":[{"token":"Hi","logprob":-0.1,"bytes":[72,105],"top_logprobs":[{"token":"Hi","logprob":-0.1,"bytes":null}]}]}},{"index":1,"finish_reason":"content_filter","message":{"role":"assistant","content":null,"refusal":"No."}}],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":2}}}"#,
    ),
    (
        "answer",
        OpenAiResponses,
        r#"{"id":"resp_1","object":"response","created_at":1,"status":"completed","model":"up","output":[{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"enc"},{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hi","annotations":[{"type":"url_citation","url":"https://example.com","title":"t","start_index":0,"end_index":1}],"logprobs":[]},{"type":"refusal","refusal":"No."}]},{"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\":1}","status":"completed"},{"type":"custom_tool_call","id":"ct_1","call_id":"c2","name":"g","input":"abc"},{"type":"web_search_call","id":"ws_1","status":"completed"}],"usage":{"input_tokens":10,"output_tokens":5,"total_tokens":15,"input_tokens_details":{"cached_tokens":1},"output_tokens_details":{"reasoning_tokens":2}},"error":null,"incomplete_details":null,"service_tier":"default"}"#,
    ),
    (
        "answer",
        OpenAiResponses,
        r#"{"id":"resp_2","object":"response","status":"incomplete","model":"up","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Cut"}]}],"incomplete_details":{"reason":"max_output_tokens"},"usage":null}"#,
    ),
    (
        "answer",
        Anthropic,
        r#"{"id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"thinking","thinking":"hm","signature":"s"},{"type":"redacted_thinking","data":"r"},{"type":"text","text":"Hi","citations":[{"type":"web_search_result_location","url":"https://example.com","title":"t","cited_text":"x","encrypted_index":"e"}]},{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":12345678901234567890}},{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query":"x"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":0},"output_tokens":5,"service_tier":"standard","server_tool_use":{"web_search_requests":1}}}"#,
    ),
    (
        "answer",
        Anthropic,
        r#"{"id":"msg_2","type":"message","role":"assistant","model":"up","content":[],"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"No."},"usage":{"input_tokens":1,"output_tokens":0}}"#,
    ),
    (
        "answer",
        Gemini,
        r#"{"responseId":"r1","modelVersion":"up","candidates":[{"index":0,"content":{"role":"model","parts":[{"text":"hm","thought":true},{"text":"Hi ü","thoughtSignature":"s1"},{"functionCall":{"id":"c1","name":"f","args":{"a":1.0,"b":[{}]}},"thoughtSignature":"s2"},{"inlineData":{"mimeType":"image/png","data":"aGk="}},{"executableCode":{"language":"PYTHON","code":"1"}},{"codeExecutionResult":{"outcome":"OK","output":"1"}}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["q"],"groundingChunks":[{"web":{"uri":"https://example.com","title":"t"}}],"groundingSupports":[{"segment":{"startIndex":0,"endIndex":4},"groundingChunkIndices":[0]}]},"logprobsResult":{"chosenCandidates":[{"token":"Hi","logProbability":-0.1}],"topCandidates":[{"candidates":[{"token":"Hi","logProbability":-0.1}]}]}}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":3,"thoughtsTokenCount":2,"cachedContentTokenCount":1,"totalTokenCount":15}}"#,
    ),
    (
        "answer",
        Gemini,
        r#"{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":4}}"#,
    ),
    (
        "answer",
        Bedrock,
        r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"s"}}},{"text":"Hi"},{"toolUse":{"toolUseId":"t1","name":"f","input":{"a":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":10,"outputTokens":5,"totalTokens":15,"cacheReadInputTokens":1},"metrics":{"latencyMs":5}}"#,
    ),
    (
        "stream",
        OpenAiChat,
        "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n: comment\n\ndata: {\"id\":\"c1\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"reasoning\":\"hm\",\"reasoning_details\":[{\"type\":\"reasoning.text\",\"text\":\"hm\",\"format\":\"anthropic-claude-v1\",\"index\":0}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi \\ud83d\\ude00 \u{1F600}\"},\"logprobs\":{\"content\":[{\"token\":\"Hi\",\"logprob\":-0.5,\"bytes\":null,\"top_logprobs\":[]}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}},{\"index\":1,\"id\":\"c2\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}}]}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\ndata: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,\"total_tokens\":7}}\n\ndata: [DONE]\n\n",
    ),
    (
        "stream",
        OpenAiChat,
        "data: {\"choices\":[],\"prompt_filter_results\":[],\"id\":\"\",\"model\":\"\"}\r\n\r\ndata: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"index\":0,\"delta\":{\"content\":null,\"refusal\":\"No.\"}}]}\r\n\r\nevent: error\r\ndata: {\"error\":{\"message\":\"slow\",\"type\":\"rate_limit\",\"status_code\":429}}\r\n\r\n",
    ),
    (
        "stream",
        OpenAiResponses,
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"created_at\":1,\"status\":\"in_progress\",\"model\":\"up\",\"output\":[]}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[]}}\n\nevent: response.reasoning_summary_part.added\ndata: {\"type\":\"response.reasoning_summary_part.added\",\"item_id\":\"rs_1\",\"output_index\":0,\"summary_index\":0,\"part\":{\"type\":\"summary_text\",\"text\":\"\"}}\n\nevent: response.reasoning_summary_text.delta\ndata: {\"type\":\"response.reasoning_summary_text.delta\",\"item_id\":\"rs_1\",\"output_index\":0,\"summary_index\":0,\"delta\":\"hm\"}\n\nevent: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"id\":\"rs_1\",\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}],\"encrypted_content\":\"enc\"}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}}\n\nevent: response.content_part.added\ndata: {\"type\":\"response.content_part.added\",\"item_id\":\"msg_1\",\"output_index\":1,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[]}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"item_id\":\"msg_1\",\"output_index\":1,\"content_index\":0,\"delta\":\"Hi\",\"logprobs\":[]}\n\nevent: response.output_text.done\ndata: {\"type\":\"response.output_text.done\",\"item_id\":\"msg_1\",\"output_index\":1,\"content_index\":0,\"text\":\"Hi\"}\n\nevent: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":1,\"item\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"output_index\":2,\"item\":{\"id\":\"fc_1\",\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"\"}}\n\nevent: response.function_call_arguments.delta\ndata: {\"type\":\"response.function_call_arguments.delta\",\"item_id\":\"fc_1\",\"output_index\":2,\"delta\":\"{\\\"a\\\":1}\"}\n\nevent: response.function_call_arguments.done\ndata: {\"type\":\"response.function_call_arguments.done\",\"item_id\":\"fc_1\",\"output_index\":2,\"arguments\":\"{\\\"a\\\":1}\"}\n\nevent: response.output_item.done\ndata: {\"type\":\"response.output_item.done\",\"output_index\":2,\"item\":{\"id\":\"fc_1\",\"type\":\"function_call\",\"call_id\":\"c1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"up\",\"output\":[],\"usage\":{\"input_tokens\":3,\"output_tokens\":4,\"total_tokens\":7}}}\n\n",
    ),
    (
        "stream",
        Anthropic,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"up\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"signature_delta\",\"signature\":\"sig\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi ü\"}       }\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":1}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":2,\"content_block\":{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":2,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{\\\"a\\\": 1}\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":2}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":9}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ),
    (
        "stream",
        Anthropic,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"up\",\"usage\":{\"input_tokens\":3}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"redacted_thinking\",\"data\":\"red\"}}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    ),
    (
        "stream",
        Gemini,
        "data: {\"responseId\":\"r1\",\"modelVersion\":\"up\",\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hm\",\"thought\":true}]}}],\"usageMetadata\":{\"promptTokenCount\":3}}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi ü\"}]},\"groundingMetadata\":{\"groundingChunks\":[{\"web\":{\"uri\":\"https://example.com\",\"title\":\"t\"}}],\"groundingSupports\":[{\"segment\":{\"endIndex\":2},\"groundingChunkIndices\":[0]}]}}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":{\"a\":1}},\"thoughtSignature\":\"sig\"},{\"functionCall\":{\"id\":\"c2\",\"name\":\"g\",\"args\":{}}}]}}]}\r\n\r\ndata: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\",\"thoughtSignature\":\"end\"}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":4,\"thoughtsTokenCount\":1,\"totalTokenCount\":8}}\r\n\r\n",
    ),
    (
        "stream",
        Gemini,
        "data: {\"promptFeedback\":{\"blockReason\":\"PROHIBITED_CONTENT\"},\"usageMetadata\":{\"promptTokenCount\":3}}\n\n",
    ),
    (
        "array",
        Gemini,
        "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a ]\\\" \\\\\"}]}}]}\n,\r\n{\"candidates\":[{\"finishReason\":\"STOP\"}]}\n]\n",
    ),
    ("array", Gemini, " [ 1 , \"t,]\" , [[{}],null] ,true] \r\n"),
    (
        "binary",
        Bedrock,
        "messageStart {\"role\":\"assistant\"}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"text\":\"hm\"}}}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"reasoningContent\":{\"signature\":\"s\"}}}\ncontentBlockStop {\"contentBlockIndex\":0}\ncontentBlockDelta {\"contentBlockIndex\":1,\"delta\":{\"text\":\"Hi ü\"},\"p\":\"abc\"}\ncontentBlockStop {\"contentBlockIndex\":1}\ncontentBlockStart {\"contentBlockIndex\":2,\"start\":{\"toolUse\":{\"toolUseId\":\"t1\",\"name\":\"f\"}}}\ncontentBlockDelta {\"contentBlockIndex\":2,\"delta\":{\"toolUse\":{\"input\":\"{\\\"a\\\":1}\"}}}\ncontentBlockStop {\"contentBlockIndex\":2}\nmessageStop {\"stopReason\":\"tool_use\"}\nmetadata {\"usage\":{\"inputTokens\":3,\"outputTokens\":4,\"totalTokens\":7},\"metrics\":{\"latencyMs\":5}}\n",
    ),
    (
        "binary",
        Bedrock,
        "messageStart {\"role\":\"assistant\"}\ncontentBlockDelta {\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}}\n!throttlingException {\"message\":\"Too many\"}\n",
    ),
    (
        "error",
        OpenAiChat,
        r#"{"error":{"message":"Rate limit reached. Please try again in 1.5s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
    ),
    (
        "error",
        OpenAiChat,
        r#"{"detail":[{"loc":["body","messages",0],"msg":"field required","type":"missing"}]}"#,
    ),
    ("error", OpenAiChat, "<html><body>502 Bad Gateway</body></html>"),
    (
        "error",
        OpenAiResponses,
        r#"{"error":{"code":400,"message":"bad","metadata":{"raw":"x","provider_name":"p"}},"user_id":"u"}"#,
    ),
    (
        "error",
        Anthropic,
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#,
    ),
    (
        "error",
        Gemini,
        r#"[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.5s"}]}}]"#,
    ),
    ("error", Bedrock, r#"{"message":"Too many requests","__type":"ThrottlingException"}"#),
];
