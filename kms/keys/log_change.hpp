// A change of keys or rows is told in the log by the transaction that makes it.
#pragma once

#include <string>

#include "evidence/log_store.hpp"
#include "keys/control_rows.hpp"

namespace quietus {

inline Result<void> log_change(ControlWriter& writer, const RowSeal& seal,
                               const std::string& entry) {
  QUIETUS_TRY(append_entry(writer, {seal.key, seal.vault, seal.context}, as_bytes(entry)));
  return {};
}

}  // namespace quietus
