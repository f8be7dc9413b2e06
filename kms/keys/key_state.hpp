// The states of a key and what each allows: NIST SP 800-57 Part 1 Rev. 5, sections 7 and 7.1 to
// 7.6, as a table. "Destroyed compromised" is the state in which a compromise is recorded that was
// there, or was found, when the key was destroyed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace quietus {

// Numbers reach the disk.
enum class KeyState : std::uint8_t {
  kPreActivation = 1,  // made, not to be used yet
  kActive = 2,
  kSuspended = 3,    // processing restricted (GDPR Art. 18); nothing is lost
  kDeactivated = 4,  // opens what it sealed, seals nothing more
  kCompromised = 5,  // may be known to others
  kDestroyed = 6,
  kDestroyedCompromised = 7,
};

inline constexpr std::array<KeyState, 7> kAllKeyStates = {
    KeyState::kPreActivation,       KeyState::kActive,      KeyState::kSuspended,
    KeyState::kDeactivated,         KeyState::kCompromised, KeyState::kDestroyed,
    KeyState::kDestroyedCompromised};

// "pre-activation", "active", "suspended", "deactivated", "compromised", "destroyed",
// "destroyed-compromised".
std::string_view name_of(KeyState state) noexcept;

// What a key is wanted for.
enum class KeyUse : std::uint8_t {
  kProtect,   // seal new content
  kProcess,   // open content and hand it out
  kMaintain,  // authenticate, re-encrypt and re-wrap: no content leaves the library
};

enum class Allowance : std::uint8_t {
  kNo,
  kByException,  // only for a stated reason, which is logged
  kYes,
};

Allowance allowance(KeyState state, KeyUse use) noexcept;

// Whether a key in state `from` may be put into state `to`. No state is left for itself.
bool may_become(KeyState from, KeyState to) noexcept;

inline bool is_destroyed(KeyState state) noexcept {
  return state == KeyState::kDestroyed || state == KeyState::kDestroyedCompromised;
}

// What a key is after its destruction.
inline KeyState destroyed_from(KeyState state) noexcept {
  return state == KeyState::kCompromised || state == KeyState::kDestroyedCompromised
             ? KeyState::kDestroyedCompromised
             : KeyState::kDestroyed;
}

}  // namespace quietus
