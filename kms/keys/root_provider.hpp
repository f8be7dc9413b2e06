// The seam to what keeps root keys: small places that can be destroyed. A slot is named before it
// is made, by a root generation that no other attempt ever used and a random id, so that even a
// torn slot can be found and destroyed without being understood.
#pragma once

#include <quietus/result.hpp>

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "crypto/labels.hpp"
#include "keys/unlock.hpp"

namespace quietus {

struct SlotName {
  std::uint64_t generation = 0;  // root generation
  SlotId id{};
  friend auto operator<=>(const SlotName&,
                          const SlotName&) = default;  // NOLINT(modernize-use-nullptr)
};

// What was really seen while a slot was destroyed. A slot counts as destroyed when all three hold.
struct SlotDestruction {
  SlotName slot;
  std::uint32_t mirrors = 0;  // copies of the slot that were treated
  bool overwritten = false;   // every copy, in place, synced
  bool read_back = false;     // the overwritten bytes were read through a new descriptor
  bool gone = false;          // no longer listed
  bool complete() const noexcept { return overwritten && read_back && gone; }
};

struct Assurance {
  std::string text;    // what destroying a slot of this kind honestly promises
  bool known = false;  // false: it cannot be told here; certificates are then never `complete`
};

// The unlock secret and the parameters by which it seals new slots; none before a slot was read.
struct SlotUnlock {
  std::shared_ptr<const UnlockSecret> secret;
  std::optional<UnlockParameters> parameters;
};

class RootProvider {
 public:
  virtual ~RootProvider() = default;

  virtual std::string kind() const = 0;      // "file"
  virtual std::string location() const = 0;  // for status and doctor

  // Durable on return, all copies, and read back through new descriptors. After an error a torn
  // slot of that name may exist; destroy() takes it away. kFull, kIo.
  virtual Result<void> create(const SlotName& slot, const RootKey& key) = 0;

  // Does beforehand what reading a slot will need and can be done without holding a lock: deriving
  // the unlock key from a passphrase takes a second. Errors show when a slot is read.
  virtual void prepare_reading() {}

  // kNotFound (no copy there), kWrongKey, kCorrupt, kUnsupported, kIo, kUnavailable.
  virtual Result<RootKey> read(const SlotName& slot) = 0;

  // Destroys every copy, torn ones too, and looks again through an independent path. A slot that is
  // already gone is looked for in the same way; `overwritten` is true then only when there is
  // evidence that it was. Idempotent. kIo: it may still be readable.
  virtual Result<SlotDestruction> destroy(const SlotName& slot) = 0;

  // Every slot of this vault, torn ones too, sorted.
  virtual Result<std::vector<SlotName>> list() = 0;

  virtual Assurance assurance() = 0;

  // Copies of the slot that are there and well-formed, of as many as there should be; what doctor
  // looks at.
  virtual std::uint32_t intact_mirrors(const SlotName& slot) = 0;
  // After the whole vault was destroyed: takes away what is left where the slots were.
  virtual Result<void> remove_remains() { return {}; }

  // What slots are made and read under. Changed only while the root-change lock is held
  // exclusively.
  virtual SlotUnlock unlock() const = 0;
  virtual void use(SlotUnlock unlock) = 0;
};

}  // namespace quietus
