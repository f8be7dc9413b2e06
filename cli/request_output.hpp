// What is shown of a request.
#pragma once

#include "json_output.hpp"
#include "terminal.hpp"

#include <quietus/governance.hpp>

#include <string>

namespace quietus::cli {

std::string with_commas(const std::vector<std::string>& words);  // "admin, auditor"
Json time_or_null(std::int64_t unix_ms);
Json request_json(const RequestInfo& request);
void print_request(const RequestInfo& request, Terminal& terminal);

}  // namespace quietus::cli
