// Reads a policy, and says in which line something is wrong.
//
// toml++ 3.3 asserts what its input need not keep: that a table header begins with a character that
// a key may have. So that this is an error, and neither the end of the program nor undefined, its
// assertions are on in every build, and throw; what they throw ends in parse_toml().
namespace {
struct TomlAssertion {};
}  // namespace
#define TOML_ASSERT(condition) ((condition) ? static_cast<void>(0) : throw TomlAssertion())
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#pragma push_macro("NDEBUG")
#undef NDEBUG
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wterminate"  // some of them stand in functions that are noexcept
#include <toml++/toml.h>
#pragma GCC diagnostic pop
#pragma pop_macro("NDEBUG")

#include <algorithm>
#include <span>

#include "base/text_encoding.hpp"
#include "governance/policy.hpp"

namespace quietus {
namespace {

constexpr std::size_t kMaxClassName = 255;
constexpr std::size_t kMaxRules = 16;
constexpr std::int64_t kMaxPeople = 16;
constexpr std::size_t kMaxLine = 1000;  // bytes

Error at_line(const toml::source_position& position, const std::string& text) {
  return {ErrorCode::kInvalidArgument, "line " + std::to_string(position.line) + ": " + text};
}
Error at_line(const toml::node& node, const std::string& text) {
  return at_line(node.source().begin, text);
}

std::string quoted(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

Result<void> check_keys(const toml::table& table, std::span<const std::string_view> known) {
  for (const auto& [key, value] : table) {
    if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
    std::string list;
    for (const std::string_view name : known) list.append(list.empty() ? "" : ", ").append(name);
    return at_line(key.source().begin,
                   quoted(key.str()) + " is not known here; possible are " + list);
  }
  return {};
}

Result<Period> period_of(const toml::node& node) {
  const auto text = node.value_exact<std::string_view>();
  const auto period = text ? parse_period(*text) : std::nullopt;
  if (!period) return at_line(node, "a period is text like \"30d\", \"2w\", \"6m\" or \"7y\"");
  return *period;
}

// Keeps `into` as it is when the member is not there.
Result<void> take_period(const toml::table& table, std::string_view name, Period& into) {
  const toml::node* node = table.get(name);
  if (node == nullptr) return {};
  QUIETUS_TRY_AS(into, period_of(*node));
  return {};
}

Result<UnixMillis> day_of_node(const toml::node& node) {
  const auto date = node.value_exact<toml::date>();
  std::optional<UnixMillis> day;
  if (date) {
    std::array<char, 32> text{};
    const int size = std::snprintf(text.data(), text.size(), "%04u-%02u-%02u", date->year,
                                   date->month, date->day);
    day = parse_day({text.data(), static_cast<std::size_t>(size)});
  }
  if (!day) return at_line(node, "a date is written without quotes: 2027-03-31");
  return *day;
}

Result<const toml::table*> table_of(const toml::node& node, const std::string& what) {
  const toml::table* table = node.as_table();
  if (table == nullptr) return at_line(node, what + " is a table");
  return table;
}

template <class Value>
Result<Value> one_of(const toml::node& node, std::span<const Value> values,
                     const std::string& what) {
  const auto text = node.value_exact<std::string_view>();
  std::string list;
  for (const Value value : values) {
    if (text && *text == name_of(value)) return value;
    list.append(list.empty() ? "" : ", ").append(name_of(value));
  }
  return at_line(node, what + " is one of " + list);
}

constexpr std::array kTriggers{Trigger::kTermination, Trigger::kCreation, Trigger::kLastActivity,
                               Trigger::kConsentWithdrawn, Trigger::kDate};
constexpr std::array kActions{RetentionAction::kErase, RetentionAction::kReview};

Result<void> take_end(const toml::table& table, RetentionRule& rule) {
  const bool by_date = rule.trigger == Trigger::kDate;
  const toml::node* node = table.get(by_date ? "on" : "after");
  if (node == nullptr || table.contains(by_date ? "after" : "on"))
    return at_line(table, by_date ? "trigger \"date\" goes with `on`, and with no `after`"
                                  : "a trigger goes with `after`, and with no `on`");
  if (by_date) {
    QUIETUS_TRY_AS(rule.on, day_of_node(*node));
  } else {
    QUIETUS_TRY_AS(rule.after, period_of(*node));
  }
  return {};
}

Result<RetentionRule> rule_of(const toml::table& table) {
  RetentionRule rule;
  const toml::node* trigger = table.get("trigger");
  if (trigger == nullptr) return at_line(table, "a rule needs a `trigger`");
  QUIETUS_TRY_AS(rule.trigger,
                 one_of<Trigger>(*trigger, std::span<const Trigger>(kTriggers), "trigger"));
  QUIETUS_TRY(take_end(table, rule));
  if (const toml::node* action = table.get("action")) {
    QUIETUS_TRY_AS(rule.action, one_of<RetentionAction>(
                                    *action, std::span<const RetentionAction>(kActions), "action"));
  }
  return rule;
}

Result<std::vector<RetentionRule>> rules_of(const toml::node& node) {
  const toml::array* array = node.as_array();
  if (array == nullptr || array->empty() || array->size() > kMaxRules)
    return at_line(node, "`rules` is a list of 1 to 16 rules");
  std::vector<RetentionRule> rules;
  for (const toml::node& item : *array) {
    QUIETUS_TRY_AS(const toml::table* table, table_of(item, "a rule"));
    static constexpr std::string_view kKnown[] = {"trigger", "after", "on", "action"};
    QUIETUS_TRY(check_keys(*table, kKnown));
    QUIETUS_TRY_AS(RetentionRule rule, rule_of(*table));
    rules.push_back(rule);
  }
  return rules;
}

Result<OverrideBounds> bounds_of(const toml::node& node) {
  QUIETUS_TRY_AS(const toml::table* table, table_of(node, "`tenant-override`"));
  static constexpr std::string_view kKnown[] = {"min", "max"};
  QUIETUS_TRY(check_keys(*table, kKnown));
  const toml::node* least = table->get("min");
  const toml::node* most = table->get("max");
  if (least == nullptr || most == nullptr)
    return at_line(node, "`tenant-override` needs `min` and `max`");
  OverrideBounds bounds;
  QUIETUS_TRY_AS(bounds.least, period_of(*least));
  QUIETUS_TRY_AS(bounds.most, period_of(*most));
  if (!never_longer(bounds.least, bounds.most))
    return at_line(node, "`min` is not always shorter than `max`");
  return bounds;
}

// The periods of the rules lie within the bounds too: a tenant that chooses nothing has chosen
// well.
Result<void> check_bounds(const toml::node& node, const ClassPolicy& policy) {
  if (!policy.override_bounds) return {};
  for (const RetentionRule& rule : policy.rules) {
    if (rule.trigger == Trigger::kDate)
      return at_line(node, "a tenant cannot choose another period where the end is a date");
    if (!never_longer(policy.override_bounds->least, rule.after) ||
        !never_longer(rule.after, policy.override_bounds->most))
      return at_line(node, "`after` is not between `min` and `max`");
  }
  return {};
}

Result<ClassPolicy> class_of(const toml::table& table) {
  static constexpr std::string_view kKnown[] = {
      "trigger", "after", "on", "action", "rules", "grace", "tenant-override"};
  QUIETUS_TRY(check_keys(table, kKnown));
  ClassPolicy policy;
  const toml::node* rules = table.get("rules");
  if (rules != nullptr && (table.contains("trigger") || table.contains("after") ||
                           table.contains("on") || table.contains("action")))
    return at_line(*rules, "either `rules`, or one rule with `trigger` and `after`");
  if (rules != nullptr) {
    QUIETUS_TRY_AS(policy.rules, rules_of(*rules));
  } else {
    QUIETUS_TRY_AS(RetentionRule rule, rule_of(table));
    policy.rules.push_back(rule);
  }
  QUIETUS_TRY(take_period(table, "grace", policy.grace));
  if (const toml::node* bounds = table.get("tenant-override")) {
    QUIETUS_TRY_AS(policy.override_bounds, bounds_of(*bounds));
    QUIETUS_TRY(check_bounds(*bounds, policy));
  }
  return policy;
}

bool is_class_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxClassName && is_utf8(name) &&
         std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '/';
         });
}

Result<void> take_classes(const toml::node& node, Policy& policy) {
  QUIETUS_TRY_AS(const toml::table* classes, table_of(node, "`class`"));
  for (const auto& [key, value] : *classes) {
    if (!is_class_name(key.str()))
      return at_line(key.source().begin, "a class is named by 1 to 255 bytes without '/'");
    QUIETUS_TRY_AS(const toml::table* table, table_of(value, "a class"));
    QUIETUS_TRY_AS(ClassPolicy parsed, class_of(*table));
    policy.classes.emplace(key.str(), std::move(parsed));
  }
  return {};
}

Result<void> take_tenant(const toml::node& node, Policy& policy) {
  QUIETUS_TRY_AS(const toml::table* table, table_of(node, "`tenant`"));
  static constexpr std::string_view kKnown[] = {"after", "grace"};
  QUIETUS_TRY(check_keys(*table, kKnown));
  QUIETUS_TRY(take_period(*table, "after", policy.tenant.rules.front().after));
  return take_period(*table, "grace", policy.tenant.grace);
}

Result<void> take_deadlines(const toml::node& node, Policy& policy) {
  QUIETUS_TRY_AS(const toml::table* table, table_of(node, "`deadline`"));
  QUIETUS_TRY(check_keys(*table, kRequestKinds));
  for (const auto& [key, value] : *table) {
    QUIETUS_TRY_AS(const Period period, period_of(value));
    policy.deadlines.emplace(key.str(), period);
  }
  return {};
}

Result<bool> flag_of(const toml::node& node) {
  const auto value = node.value_exact<bool>();
  if (!value) return at_line(node, "this is true or false");
  return *value;
}

Result<ApprovalRule> approval_of(const toml::node& node) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return at_line(node, "a table is expected here");
  static constexpr std::string_view kKnown[] = {"people", "verifier", "second-factor", "pin"};
  QUIETUS_TRY(check_keys(*table, kKnown));
  ApprovalRule rule;
  if (const toml::node* people = table->get("people")) {
    const auto number = people->value_exact<std::int64_t>();
    if (!number || *number < 1 || *number > kMaxPeople)
      return at_line(*people, "people is a number from 1 to 16");
    rule.people = static_cast<std::uint32_t>(*number);
  }
  if (const toml::node* verifier = table->get("verifier")) {
    QUIETUS_TRY_AS(rule.verifier, flag_of(*verifier));
  }
  if (const toml::node* factor = table->get("second-factor")) {
    QUIETUS_TRY_AS(rule.second_factor, flag_of(*factor));
  }
  if (const toml::node* pin = table->get("pin")) {
    QUIETUS_TRY_AS(rule.pin, flag_of(*pin));
  }
  return rule;
}

Result<void> take_approvals(const toml::node& node, Policy& policy) {
  const toml::table* const table = node.as_table();
  if (table == nullptr) return at_line(node, "a table is expected here");
  QUIETUS_TRY(check_keys(*table, kApprovalSubjects));
  for (const auto& [key, value] : *table) {
    QUIETUS_TRY_AS(const ApprovalRule rule, approval_of(value));
    if (key.str() == "change" && rule.verifier)
      return at_line(value, "changes are approved by admins: `verifier` is not possible here");
    policy.approvals.emplace(key.str(), rule);
  }
  return {};
}

// toml++ 3.3 has undefined behaviour where a letter that is not ASCII is looked at.
Result<void> check_ascii(std::string_view text) {
  const auto strange = std::find_if(text.begin(), text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) > 0x7e; });
  if (strange == text.end()) return {};
  const auto line = 1 + std::count(text.begin(), strange, '\n');
  return Error(ErrorCode::kInvalidArgument,
               "line " + std::to_string(line) +
                   ": only ASCII; other letters are written in quotes, as \"\\u00e9\"");
}

// A dotted key costs toml++ stack for each of its parts.
Result<void> check_lines(std::string_view text) {
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > kMaxLine)
      return Error(ErrorCode::kInvalidArgument,
                   "line " + std::to_string(line) + ": longer than 1000 bytes");
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return {};
}

// What toml++ throws ends here.
Result<toml::table> parse_toml(std::string_view text) {
  QUIETUS_TRY(check_ascii(text));
  QUIETUS_TRY(check_lines(text));
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    return at_line(error.source().begin, std::string(error.description()));
  } catch (const TomlAssertion&) {
    return Error(ErrorCode::kInvalidArgument,
                 "not TOML: a table header or a key begins with a character that none may have");
  }
}

}  // namespace

Result<Policy> parse_policy(std::string_view text) {
  if (text.size() > kMaxPolicyText)
    return Error(ErrorCode::kInvalidArgument, "a policy has at most 49152 bytes");
  QUIETUS_TRY_AS(const toml::table root, parse_toml(text));
  static constexpr std::string_view kKnown[] = {
      "effective", "notice", "backup-retention", "tenant", "class", "deadline", "approval"};
  QUIETUS_TRY(check_keys(root, kKnown));
  Policy policy;
  policy.notice = {30, Period::Unit::kDays};
  policy.backup_retention = {30, Period::Unit::kDays};
  policy.tenant.rules.push_back({});
  policy.tenant.grace = {7, Period::Unit::kDays};
  const toml::node* effective = root.get("effective");
  if (effective == nullptr)
    return Error(ErrorCode::kInvalidArgument,
                 "line 1: `effective` is missing: the date from which the policy counts");
  QUIETUS_TRY_AS(policy.effective, day_of_node(*effective));
  QUIETUS_TRY(take_period(root, "notice", policy.notice));
  QUIETUS_TRY(take_period(root, "backup-retention", policy.backup_retention));
  if (const toml::node* tenant = root.get("tenant")) QUIETUS_TRY(take_tenant(*tenant, policy));
  if (const toml::node* classes = root.get("class")) QUIETUS_TRY(take_classes(*classes, policy));
  if (const toml::node* deadlines = root.get("deadline"))
    QUIETUS_TRY(take_deadlines(*deadlines, policy));
  if (const toml::node* approvals = root.get("approval"))
    QUIETUS_TRY(take_approvals(*approvals, policy));
  return policy;
}

}  // namespace quietus
