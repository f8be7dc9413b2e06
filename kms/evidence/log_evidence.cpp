#include "evidence/log_evidence.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "base/text_encoding.hpp"
#include "base/unverified.hpp"
#include "evidence/strict_json.hpp"
#include "evidence/tlog_proof.hpp"

namespace quietus {
namespace {

// Times in a certificate and in entries are whole seconds.
bool same_time(UnixMillis a, UnixMillis b) {
  return format_utc(a) == format_utc(b);
}

class EvidenceCheck {
 public:
  explicit EvidenceCheck(const ErasureClaims& claims) : claims_(claims) {
    for (const ClaimedTarget& target : claims.targets)
      for (const ClaimedKey& key : target.keys) keys_.emplace(key.id, Awaited{target.scope, &key});
  }

  Result<ProvenCheckpoint> run() {
    QUIETUS_TRY(open_common_checkpoint());
    for (const ProvenEntry& proof : claims_.log.proofs) QUIETUS_TRY(check_proof(proof));
    if (!unreachable_at_) return unverified("no proof that the keys became unreachable");
    if (!destroyed_at_) return unverified("no proof that the slot was destroyed");
    if (created_ != keys_.size()) return unverified("no proof that every key was created");
    if (!(last_created_at_ < *unreachable_at_ && *unreachable_at_ < *destroyed_at_))
      return unverified("log entries are not in the order in which things happen");
    return ProvenCheckpoint{checkpoint_, note_};
  }

 private:
  // A key whose creation is still to be proved.
  struct Awaited {
    ScopeId scope;
    const ClaimedKey* key;
    bool found = false;
  };

  Result<void> open_common_checkpoint() {
    const ClaimedLog& log = claims_.log;
    const Result<NoteKey> key = parse_vkey(log.vkey);
    if (!key) return unverified("log key in the certificate is malformed");
    const bool names_vault = log.origin.find(to_hex(claims_.vault)) != std::string::npos;
    if (log.origin != key->name || !names_vault)
      return unverified("log key is not that of the vault's log");
    if (log.proofs.empty()) return unverified("certificate encloses no proofs");
    QUIETUS_TRY_AS(TlogProof first, parse_tlog_proof(log.proofs.front().proof));
    note_ = std::move(first.checkpoint);
    QUIETUS_TRY_AS(checkpoint_, open_checkpoint(note_, *key));
    return {};
  }

  Result<void> check_proof(const ProvenEntry& proven) {
    QUIETUS_TRY_AS(const TlogProof proof, parse_tlog_proof(proven.proof));
    if (format_tlog_proof(proof) != proven.proof)
      return unverified("log proof carries data that nothing vouches for");
    if (proof.checkpoint != note_) return unverified("proofs are under different checkpoints");
    QUIETUS_TRY(verify_inclusion(leaf_hash(proven.entry), proof.index, checkpoint_.head.size,
                                 proof.hashes, checkpoint_.head.root));
    QUIETUS_TRY_AS(const LogEntry entry, LogEntry::parse(proven.entry));
    if (entry.kind() == entry_kinds::kKeyCreated)
      return check_creation(entry, proven.entry, proof.index);
    if (entry.kind() == entry_kinds::kKeysUnreachable)
      return check_unreachable(entry, proven.entry, proof.index);
    if (entry.kind() == entry_kinds::kBatchUnreachable)
      return check_batch(entry, proven.entry, proof.index);
    if (entry.kind() == entry_kinds::kSlotDestroyed)
      return check_destroyed(entry, proven.entry, proof.index);
    return unverified("certificate encloses an entry that it does not rest on");
  }

  // The checks below make the entry anew from the claims: what the entry says has one text.

  Result<void> check_creation(const LogEntry& entry, ByteView text, std::uint64_t index) {
    const std::string* id = entry.text("key");
    const auto awaited = id == nullptr ? keys_.end() : find_key(*id);
    if (awaited == keys_.end()) return unverified("creation proved of a key that is not listed");
    Awaited& key = awaited->second;
    if (key.found) return unverified("creation of a key proved twice");
    const KeyCreated claimed{key.scope, key.key->id, key.key->line, key.key->generation,
                             key.key->commitment};
    if (entry_text(entry.head(), claimed) != as_text(text))
      return unverified("key was not created as claimed: scope, line, generation or commitment");
    key.found = true;
    ++created_;
    last_created_at_ = std::max(last_created_at_, index);
    return {};
  }

  Result<void> check_unreachable(const LogEntry& entry, ByteView text, std::uint64_t index) {
    if (unreachable_at_) return unverified("keys became unreachable twice");
    if (claims_.batch) return unverified("erasure was not logged as a batch");
    const std::vector<std::string>* ids = entry.list("keys");
    if (ids == nullptr) return unverified("entry of unreachable keys names none");
    KeysUnreachable claimed{
        claims_.erasure, claims_.root.generation_before, claims_.root.generation_after, {}};
    for (const std::string& text_id : *ids) {
      const std::optional<KeyId> id = parse_hex_id(text_id);
      if (!id) return unverified("entry of unreachable keys is malformed");
      claimed.keys.push_back(*id);
    }
    if (entry_text(entry.head(), claimed) != as_text(text))
      return unverified("keys became unreachable in another erasure or root generation");
    if (!same_time(entry.head().time, claims_.times.keys_unreachable))
      return unverified("keys became unreachable at another time");
    // One erasure may be of more scopes than this certificate is.
    const std::set<KeyId> unreachable(claimed.keys.begin(), claimed.keys.end());
    if (!std::all_of(keys_.begin(), keys_.end(),
                     [&](const auto& key) { return unreachable.contains(key.first); }))
      return unverified("a listed key is not among the unreachable ones");
    unreachable_at_ = index;
    return {};
  }

  Result<void> check_batch(const LogEntry& entry, ByteView text, std::uint64_t index) {
    if (unreachable_at_) return unverified("keys became unreachable twice");
    if (!claims_.batch) return unverified("erasure was logged as a batch");
    const ClaimedBatch& batch = *claims_.batch;
    const std::string* root = entry.text("statements");
    const auto bytes = root == nullptr ? std::nullopt : from_hex(*root);
    if (!bytes || bytes->size() != sizeof(Hash))
      return unverified("entry of the batch is malformed");
    BatchUnreachable claimed{claims_.erasure,
                             claims_.root.generation_before,
                             claims_.root.generation_after,
                             batch.scopes,
                             {}};
    std::copy(bytes->begin(), bytes->end(), claimed.statements.begin());
    if (entry_text(entry.head(), claimed) != as_text(text))
      return unverified("keys became unreachable in another erasure, batch or root generation");
    if (!same_time(entry.head().time, claims_.times.keys_unreachable))
      return unverified("keys became unreachable at another time");
    const std::string statement = statement_text({batch.statement, claims_.erasure, claims_.reason},
                                                 claims_.targets.front(), claims_.unreadable);
    QUIETUS_TRY(verify_inclusion(leaf_hash(as_bytes(statement)), batch.index, batch.scopes,
                                 batch.proof, claimed.statements)
                    .within("statement of the batch"));
    unreachable_at_ = index;
    return {};
  }

  Result<void> check_destroyed(const LogEntry& entry, ByteView text, std::uint64_t index) {
    if (destroyed_at_) return unverified("slot was destroyed twice");
    const std::string* method = entry.text("method");
    const std::optional<Code> code = method == nullptr ? std::nullopt : Code::parse(*method);
    if (!code) return unverified("entry of the destroyed slot names no method");
    SlotDestroyed claimed{
        claims_.erasure, {}, *code, claims_.holders_acknowledged, claims_.holders_ended};
    for (const ClaimedSlot& slot : claims_.root.slots) claimed.slots.push_back(slot.id);
    if (entry_text(entry.head(), claimed) != as_text(text))
      return unverified("slots or holders are not those that the log names");
    if (!same_time(entry.head().time, claims_.times.slot_destroyed))
      return unverified("slot was destroyed at another time");
    destroyed_at_ = index;
    return {};
  }

  std::map<KeyId, Awaited>::iterator find_key(std::string_view text) {
    const std::optional<KeyId> id = parse_hex_id(text);
    return id ? keys_.find(*id) : keys_.end();
  }

  const ErasureClaims& claims_;
  std::map<KeyId, Awaited> keys_;
  std::string note_;  // the signed checkpoint that all proofs share
  Checkpoint checkpoint_;
  std::size_t created_ = 0;
  std::uint64_t last_created_at_ = 0;
  std::optional<std::uint64_t> unreachable_at_;
  std::optional<std::uint64_t> destroyed_at_;
};

}  // namespace

Result<ProvenCheckpoint> verify_log_evidence(const ErasureClaims& claims) {
  return EvidenceCheck(claims).run();
}

}  // namespace quietus
