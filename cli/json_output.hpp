// The JSON that --json prints. Keys are snake_case and frozen (docs/cli.md lists them); times are
// RFC 3339 in UTC, ids and versions are lower-case hexadecimal text, because JSON numbers end at
// 2^53.
#pragma once

#include <quietus/portability.hpp>
#include <quietus/report.hpp>
#include <quietus/scope.hpp>

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace quietus::cli {

using Json = nlohmann::ordered_json;

// {"error": {"code", "exit", "message"}}
Json error_document(const Error& error);

Json to_json(const ScopeInfo& scope);
Json to_json(const std::vector<ScopeInfo>& scopes);
Json to_json(const RecordInfo& record);
Json to_json(const std::vector<SubjectOpening>& subjects);
Json to_json(const ErasureReport& report);
Json to_json(const TransferReport& report);

// The text of a document, indented. Bytes that are not UTF-8 become U+FFFD.
std::string to_text(const Json& document);
// The same on one line, without a line end.
std::string to_line(const Json& value);

}  // namespace quietus::cli
