// The access review: who can do what, as a text that is signed once a quarter.
#include <algorithm>

#include "base/text_encoding.hpp"
#include "evidence/ring_text.hpp"
#include "evidence/utc_time.hpp"
#include "governance_rules.hpp"
#include "keys/rights.hpp"

namespace quietus {
namespace {

constexpr UnixMillis kUnusedAfter = 90 * kDayMillis;
constexpr UnixMillis kReviewLife = 7 * kDayMillis;
constexpr std::string_view kReviewBegin = "quietus-access-review/v1";

std::string when(UnixMillis time) {
  return time == 0 ? std::string("never") : format_utc(time);
}

bool is_unused(UnixMillis added, UnixMillis used, UnixMillis now) {
  return std::max(added, used) + kUnusedAfter < now;
}

void say_key(std::string& text, const OperatorKey& key, UnixMillis now) {
  text.append("  key ").append(ssh_fingerprint(key.key)).append(" ").append(name_of(key.key.type));
  text.append(", used ").append(when(key.used));
  if (!key.key.is_security_key()) text.append(", without a second factor");
  if (is_unused(key.added, key.used, now)) text.append(", unused for 90 days");
  text.append("\n");
}

void say_operator(std::string& text, const Operator& person, UnixMillis now) {
  text.append("operator ").append(person.name).append(": ").append(roles_text(person.roles));
  text.append("\n  since ").append(when(person.added));
  if (person.changed != person.added) text.append(", changed ").append(when(person.changed));
  text.append(", used ").append(when(person.used));
  // The text says the second.
  if (!person.valid_at(now - now % 1000 + 999)) text.append(", may not act now");
  if (person.until != 0) text.append(", until ").append(when(person.until));
  if (is_unused(person.added, person.used, now)) text.append(", unused for 90 days");
  text.append("\n  may ");
  bool first = true;
  for (const Duty duty : kDuties) {
    if (!may(person.roles, duty)) continue;
    text.append(first ? "" : ", ").append(name_of(duty));
    first = false;
  }
  text.append("\n");
  for (const OperatorKey& key : person.keys) say_key(text, key, now);
}

std::string review_text(const VaultCore& core, const std::vector<Operator>& people,
                        UnixMillis now) {
  std::string text(kReviewBegin);
  text.append("\nvault ").append(to_hex(core.header.vault)).append("\nas-of ");
  text.append(format_utc(now)).append("\n\n");
  for (const Operator& person : people)
    if (person.removed == 0) say_operator(text, person, now);
  text.append("\nWho signs this has looked at it, and every right in it is still needed.\n");
  return text;
}

// Times of use may have passed meanwhile, and with them the days for which something was not used;
// nothing else. No name has a comma in it, so that nothing else looks like them.
std::string without_uses(std::string_view text) {
  std::string rights;
  LineReader lines(text);
  while (auto line = lines.next()) {
    constexpr std::string_view kUnused = ", unused for 90 days";
    if (line->ends_with(kUnused)) line->remove_suffix(kUnused.size());
    const std::size_t used = std::min(line->find(", used "), line->size());
    const std::size_t end =
        std::min(line->find(',', std::min(used + 1, line->size())), line->size());
    rights.append(line->substr(0, used)).append(line->substr(end)).append("\n");
  }
  return rights.append(lines.rest());
}

}  // namespace

Result<std::string> Governance::review() {
  QUIETUS_TRY_AS(const auto core, open_core(core_));
  const UnixMillis now = core->environment.clock.now();
  std::string text;
  QUIETUS_TRY(
      core->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        QUIETUS_TRY_AS(const auto row, rows::governance(reader, scopes.seal()));
        if (!row)
          return Error(ErrorCode::kRefused, "the vault is not governed: it has no operators");
        QUIETUS_TRY_AS(const auto people, rows::operators(reader, scopes.seal()));
        text = review_text(*core, people, now);
        return {};
      }));
  return text;
}

Result<void> Governance::sign_review(std::string_view text, std::string_view signature) {
  QUIETUS_TRY_AS(const auto core, writable_core(core_));
  const UnixMillis now = core->environment.clock.now();
  LineReader lines(text);
  static_cast<void>(lines.next());
  static_cast<void>(lines.next());
  const auto as_of = parse_utc(ring_text::value_of(lines, "as-of "));
  if (!as_of || *as_of > now || *as_of + kReviewLife < now)
    return Error(ErrorCode::kRefused, "the review is older than a week: make another");
  return core->update([&](ControlWriter& writer, ScopeTable& scopes,
                          RootRow& root) -> Result<void> {
    const RowSeal seal = scopes.seal();
    QUIETUS_TRY_AS(auto row, rows::governance(writer, seal));
    if (!row) return Error(ErrorCode::kRefused, "the vault is not governed: it has no operators");
    QUIETUS_TRY_AS(const auto people, rows::operators(writer, seal));
    const SignedText signed_text{{}, std::string(text), std::string(signature)};
    QUIETUS_TRY_AS(const SignedBy by, who_signed(writer, seal, signed_text, kReviewNamespace, now));
    if (!may(by.person.roles, Duty::kReview))
      return Error(ErrorCode::kRefused, by.person.name + " may not sign access reviews");
    if (*as_of + 999 < row->reviewed)
      return Error(ErrorCode::kRefused, "a later review is signed already: make another");
    // Rights that changed since it was printed were not looked at.
    if (without_uses(text) != without_uses(review_text(*core, people, *as_of)))
      return Error(ErrorCode::kRefused,
                   "that is not the review of this vault as it is now: rights have changed, or the "
                   "text has; make another");
    QUIETUS_TRY(note_used(writer, scopes, root, by, now));
    QUIETUS_TRY_AS(row, rows::governance(writer, seal));
    row->reviewed = now;
    QUIETUS_TRY(rows::put_governance(writer, seal, *row));
    return log_decision(writer, seal, now,
                        {"access-reviewed", by.person.id, by.person.id, sha256(as_bytes(text))});
  });
}

}  // namespace quietus
