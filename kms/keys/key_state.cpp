#include "keys/key_state.hpp"

#include <algorithm>

namespace quietus {
namespace {

using enum KeyState;
using enum Allowance;

struct Row {
  KeyState state;
  std::string_view name;
  Allowance protect;
  Allowance process;
  Allowance maintain;
  std::array<bool, kAllKeyStates.size()> next;  // in the order of kAllKeyStates
};

// NOLINTBEGIN(readability-identifier-naming): marks in a table
constexpr bool o = false;
constexpr bool x = true;
// NOLINTEND(readability-identifier-naming)

// Columns of `next`: pre-activation, active, suspended, deactivated, compromised, destroyed,
// destroyed-compromised. The numbers are those of the transitions in SP 800-57.
constexpr std::array<Row, kAllKeyStates.size()> kTable = {{
    // clang-format off
    {kPreActivation,        "pre-activation",        kNo,          kNo,          kYes, {o, x, o, o, x, x, o}},  // 4, 3, 2
    {kActive,               "active",                kYes,         kYes,         kYes, {o, o, x, x, x, x, o}},  // 7, 8, 6, 5
    {kSuspended,            "suspended",             kByException, kByException, kYes, {o, x, o, x, x, x, o}},  // 10, 12, 11, 9
    {kDeactivated,          "deactivated",           kNo,          kYes,         kYes, {o, o, o, o, x, x, o}},  // 14, 13
    {kCompromised,          "compromised",           kNo,          kByException, kYes, {o, o, o, o, o, o, x}},  // 15
    {kDestroyed,            "destroyed",             kNo,          kNo,          kNo,  {o, o, o, o, o, o, x}},  // KMIP
    {kDestroyedCompromised, "destroyed-compromised", kNo,          kNo,          kNo,  {o, o, o, o, o, o, o}},
    // clang-format on
}};

const Row& row_of(KeyState state) noexcept {
  return *std::find_if(kTable.begin(), kTable.end() - 1,
                       [&](const Row& row) { return row.state == state; });
}

std::size_t column_of(KeyState state) noexcept {
  return static_cast<std::size_t>(&row_of(state) - kTable.data());
}

}  // namespace

std::string_view name_of(KeyState state) noexcept {
  return row_of(state).name;
}

Allowance allowance(KeyState state, KeyUse use) noexcept {
  const Row& row = row_of(state);
  switch (use) {
    case KeyUse::kProtect: return row.protect;
    case KeyUse::kProcess: return row.process;
    case KeyUse::kMaintain: return row.maintain;
  }
  return kNo;
}

bool may_become(KeyState from, KeyState to) noexcept {
  return row_of(from).next[column_of(to)];
}

}  // namespace quietus
