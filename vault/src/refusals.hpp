// What a legal hold stopped is logged: that somebody tried is evidence too.
#pragma once

#include "keys/key_store.hpp"

namespace quietus {

// Best effort: the refusal stands whether or not it can be logged.
void note_refused(KeyStore& keys, ScopeId scope, const Code& attempt, UnixMillis now);

}  // namespace quietus
