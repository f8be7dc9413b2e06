// A retention plan as a table, as JSON and as a page.
#pragma once

#include "json_output.hpp"

#include <quietus/retention.hpp>

#include <string>

namespace quietus::cli {

// At most 1,000 scopes; the rest is counted.
std::string plan_table(const RetentionPlan& plan);
Json to_json(const RetentionPlan& plan);
// One self-contained HTML page with a chart of what ends when. It loads nothing.
std::string plan_page(const RetentionPlan& plan, const std::string& trial);

}  // namespace quietus::cli
