// Changes of a scope's state that destroy nothing. Each is one transition of the table in
// key_state.hpp, with time and reason in the key row and in the log. To be made inside
// KeyStore::update_standing().
#pragma once

#include <quietus/result.hpp>

#include "evidence/code.hpp"
#include "keys/holds.hpp"
#include "keys/scope_table.hpp"

namespace quietus {

struct StateChange {
  ScopeId scope = 0;
  KeyState to = KeyState::kActive;
  Code reason = "other";
  UnixMillis now = 0;
};

// Puts the scope and the newest key of each of its lines into another state; when it becomes
// compromised, its older keys too. kNotFound; kErased; kRefused when the table does not allow it,
// and for the states of destroyed keys, to which only a root change leads.
Result<void> change_state(ControlWriter& writer, const RowSeal& seal, const StateChange& change);

// Why an erasure that covers a scope is not to be decided any more.
struct Objection {
  ScopeId scope = 0;  // the vault's: to all of them
  Code reason = "held";
  UnixMillis now = 0;
  bool to_sweeps_only = false;  // what somebody asked for by hand goes on
};
// Takes back every erasure that was begun, not decided, and would destroy what the scope's keys
// depend on or what depends on them. Whoever makes one finds at T2 that its intent is gone (I-4).
Result<void> give_up_begun(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                           const Objection& objection);

struct NewHold {
  const HoldRow& row;
  std::string_view authority;
};

// Places a hold, and takes back every erasure of what it covers that was begun and not decided.
// kErased: too late. kInvalidArgument for an authority of more than 4,096 bytes.
Result<void> place_hold_in(ControlWriter& writer, ScopeTable& scopes, RootRow& root,
                           const NewHold& hold);
// kNotFound.
Result<void> release_hold_in(ControlWriter& writer, const RowSeal& seal, const HoldRow& hold,
                             UnixMillis now);

}  // namespace quietus
