#include "plan_output.hpp"

#include "html.hpp"
#include "printable_text.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace quietus::cli {
namespace {

constexpr std::size_t kShown = 1000;

std::string day(std::int64_t unix_ms) {
  return timestamp(unix_ms).substr(0, 10);
}

// "2 more below", "waits for acme/billing", "legal hold".
std::string remark(const Prospective& scope) {
  if (scope.outlook == "waits")
    return "waits for " + (scope.waits_for.empty() ? "what lies below" : scope.waits_for);
  if (scope.outlook == "held") return "kept by a legal hold";
  if (scope.outlook == "restricted") return "processing is restricted";
  if (scope.outlook == "review") return "a person decides";
  return scope.below == 0 ? std::string() : "and " + grouped(scope.below) + " below";
}

std::string shown_path(const Prospective& scope) {
  return scope.path.empty() ? hex16(scope.scope_id) : scope.path;
}

bool ends(const Prospective& scope) {
  return scope.outlook == "due";
}

}  // namespace

std::string plan_table(const RetentionPlan& plan) {
  std::vector<std::vector<std::string>> rows;
  for (std::size_t i = 0; i < std::min(plan.scopes.size(), kShown); ++i) {
    const Prospective& scope = plan.scopes[i];
    const bool overdue = ends(scope) && scope.when_unix_ms < plan.made_unix_ms;
    rows.push_back({day(scope.when_unix_ms), overdue ? "overdue" : scope.outlook, shown_path(scope),
                    scope.rule, remark(scope)});
  }
  std::string text = columns(rows);
  if (plan.scopes.size() > kShown)
    text += "and " + grouped(plan.scopes.size() - kShown) + " more\n";
  if (plan.unreadable > 0)
    text += counted(plan.unreadable, "scope") + " cannot be read; `quietus check` names them\n";
  return text;
}

Json to_json(const RetentionPlan& plan) {
  Json scopes = Json::array();
  for (const Prospective& scope : plan.scopes)
    scopes.push_back(
        {{"scope", scope.path.empty() ? Json(nullptr) : Json(scope.path)},
         {"scope_id", hex16(scope.scope_id)},
         {"class", scope.data_class.empty() ? Json(nullptr) : Json(scope.data_class)},
         {"when", timestamp(scope.when_unix_ms)},
         {"rule", scope.rule},
         {"outlook", scope.outlook},
         {"waits_for", scope.waits_for.empty() ? Json(nullptr) : Json(scope.waits_for)},
         {"below", scope.below}});
  return {{"made", timestamp(plan.made_unix_ms)},
          {"until", timestamp(plan.until_unix_ms)},
          {"policy_version", plan.policy_version == 0 ? Json(nullptr) : Json(plan.policy_version)},
          {"living", plan.living},
          {"unreadable", plan.unreadable},
          {"scopes", std::move(scopes)}};
}

// ---- the page -----------------------------------------------------------------------------------

namespace {

constexpr std::string_view kPage = R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Retention plan</title>
<style>
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee5; --back: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ee; --soft: #9aa5b4; --line: #333c49; --back: #12161c; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.25rem; background: var(--back);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; }
p { margin: .25rem 0; color: var(--soft); }
svg { display: block; width: 100%; height: auto; margin: 1.5rem 0 .5rem; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
svg line { stroke: var(--line); }
ul { list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0;
  margin: 0 0 1.5rem; }
li i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; margin-right: .4rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; }
td:nth-child(1) { white-space: nowrap; font-variant-numeric: tabular-nums; }
td:nth-child(3) { overflow-wrap: anywhere; }
.due { color: #b3261e; } .held, .restricted { color: #8a5a00; }
@media (prefers-color-scheme: dark) { .due { color: #ff8a80; } .held, .restricted { color: #ffcc80; } }
@media print { body { padding: 0; max-width: none; font-size: 11pt; } }
</style>
</head>
<body>
<h1>What will be erased until {{until}}</h1>
<p>Made {{made}} from {{policy}}; {{living}} in the vault. {{note}}</p>
{{chart}}
<div class="wide"><table>
<thead><tr><th>Day (UTC)</th><th>Outlook</th><th>Scope</th><th>Rule</th><th></th></tr></thead>
<tbody>
{{rows}}
</tbody></table></div>
{{rest}}
</body>
</html>
)";

constexpr std::string_view kColours[] = {"#3b6fb6", "#c2662d", "#3d8a5f", "#8b5aa8",
                                         "#b8485a", "#6a7d2f", "#2f8c94", "#7a6a55"};
constexpr std::size_t kColumns = 48;  // of the chart, at most

struct Chart {
  std::int64_t from = 0;
  std::int64_t width = 1;  // of a column, in milliseconds
  std::size_t columns = 1;
  std::map<std::string, std::vector<std::uint64_t>> classes;
  std::uint64_t highest = 0;
};

Chart chart_of(const RetentionPlan& plan) {
  constexpr std::int64_t kDay = 86'400'000;
  Chart chart;
  chart.from = plan.made_unix_ms / kDay * kDay;
  const std::int64_t days = std::max<std::int64_t>(1, (plan.until_unix_ms - chart.from) / kDay + 1);
  const std::int64_t per_column =
      (days + static_cast<std::int64_t>(kColumns) - 1) / static_cast<std::int64_t>(kColumns);
  chart.width = per_column * kDay;
  chart.columns = static_cast<std::size_t>((days + per_column - 1) / per_column);
  std::vector<std::uint64_t> sums(chart.columns);
  for (const Prospective& scope : plan.scopes) {
    if (!ends(scope)) continue;
    const std::int64_t at = std::max(scope.when_unix_ms, plan.made_unix_ms) - chart.from;
    const auto column = std::min(static_cast<std::size_t>(at / chart.width), chart.columns - 1);
    auto& counts = chart.classes[scope.data_class.empty() ? "tenant" : scope.data_class];
    counts.resize(chart.columns);
    counts[column] += 1 + scope.below;
    sums[column] += 1 + scope.below;
  }
  chart.highest = *std::max_element(sums.begin(), sums.end());
  return chart;
}

std::string number(double value) {
  return std::to_string(static_cast<long>(std::lround(value)));
}

// Stacked columns: how many scopes end in each span of time, by class.
std::string svg_of(const Chart& chart) {
  constexpr double kWidth = 960;
  constexpr double kHeight = 220;
  constexpr double kLeft = 60;
  const double step = (kWidth - kLeft) / static_cast<double>(chart.columns);
  std::string svg =
      "<svg viewBox=\"0 0 960 250\" role=\"img\" aria-label=\"scopes that end, over "
      "time\"><text x=\"0\" y=\"14\">" +
      grouped(chart.highest) +
      "</text><text x=\"0\" y=\"220\">0</text><line x1=\"60\" y1=\"220\" x2=\"960\" "
      "y2=\"220\"/>";
  std::vector<double> top(chart.columns, kHeight);
  std::size_t colour = 0;
  for (const auto& [name, counts] : chart.classes) {
    for (std::size_t i = 0; i < chart.columns; ++i) {
      if (counts[i] == 0) continue;
      const double share = static_cast<double>(counts[i]) / static_cast<double>(chart.highest);
      const double height = std::max(2.0, share * (kHeight - 10));
      top[i] -= height;
      svg += "<rect x=\"" + number(kLeft + step * static_cast<double>(i) + 1) + "\" y=\"" +
             number(top[i]) + "\" width=\"" + number(std::max(2.0, step - 2)) + "\" height=\"" +
             number(height) + "\" fill=\"" + std::string(kColours[colour % std::size(kColours)]) +
             "\"><title>" + html(name) + ": " + grouped(counts[i]) + " from " +
             day(chart.from + chart.width * static_cast<std::int64_t>(i)) + "</title></rect>";
    }
    ++colour;
  }
  const std::size_t every = std::max<std::size_t>(1, chart.columns / 8);
  for (std::size_t i = 0; i < chart.columns; i += every)
    svg += "<text x=\"" + number(kLeft + step * static_cast<double>(i)) + "\" y=\"240\">" +
           day(chart.from + chart.width * static_cast<std::int64_t>(i)) + "</text>";
  return svg + "</svg>";
}

std::string legend_of(const Chart& chart) {
  std::string text = "<ul>";
  std::size_t colour = 0;
  for (const auto& [name, counts] : chart.classes) {
    std::uint64_t sum = 0;
    for (const std::uint64_t count : counts) sum += count;
    text += "<li><i style=\"background:" + std::string(kColours[colour++ % std::size(kColours)]) +
            "\"></i>" + html(name) + " " + grouped(sum) + "</li>";
  }
  return text + "</ul>";
}

std::string page_rows(const RetentionPlan& plan) {
  std::string text;
  for (std::size_t i = 0; i < std::min(plan.scopes.size(), kShown); ++i) {
    const Prospective& scope = plan.scopes[i];
    text += "<tr><td>" + day(scope.when_unix_ms) + "</td><td class=\"" + scope.outlook + "\">" +
            scope.outlook + "</td><td>" + html(shown_path(scope)) + "</td><td>" + html(scope.rule) +
            "</td><td>" + html(remark(scope)) + "</td></tr>\n";
  }
  return text.empty() ? "<tr><td colspan=\"5\">Nothing is due until then.</td></tr>" : text;
}

}  // namespace

std::string plan_page(const RetentionPlan& plan, const std::string& trial) {
  const Chart chart = chart_of(plan);
  const std::string policy = plan.policy_version == 0
                                 ? "no policy in force"
                                 : "version " + std::to_string(plan.policy_version) +
                                       " of the policy and what was decided";
  const std::string more =
      plan.scopes.size() > kShown
          ? "<p>and " + grouped(plan.scopes.size() - kShown) + " more, which --json lists</p>"
          : std::string();
  return filled(
      kPage,
      {{"until", day(plan.until_unix_ms)},
       {"made", timestamp(plan.made_unix_ms)},
       {"policy", html(trial.empty() ? policy : policy + ", as if " + trial + " were applied")},
       {"living", html(counted(plan.living, "scope"))},
       {"note", plan.unreadable == 0
                    ? std::string()
                    : html(counted(plan.unreadable, "scope") + " cannot be read.")},
       {"chart", chart.highest == 0 ? std::string() : svg_of(chart) + legend_of(chart)},
       {"rows", page_rows(plan)},
       {"rest", more}});
}

}  // namespace quietus::cli
