#include "refusals.hpp"

namespace quietus {

void note_refused(KeyStore& keys, ScopeId scope, const Code& attempt, UnixMillis now) {
  const auto noted = keys.update([&](ControlWriter& writer, ScopeTable& scopes,
                                     RootRow&) -> Result<void> {
    const RowSeal seal = scopes.seal();
    const std::string entry = entry_text(new_entry(now), AttemptRefused{scope, attempt, "held"});
    QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
    return {};
  });
  static_cast<void>(noted);
}

}  // namespace quietus
