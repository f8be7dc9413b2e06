// Every domain-separation label and every edge of the derivation tree, in one table. An edge is
// typed: deriving a key from the wrong parent, or for the wrong purpose, does not compile.
//
//   slot secret ── unseals ─▶ root key ── opens ─▶ root node ─▶ … ─▶ leaf keys
//   leaf + parent's child-wrapping key + sources' child-wrapping keys ── wrap ─▶ scope key
//
//   scope key ─┬─ record encryption   (XAES-256-GCM of records; Cobblestone context for objects)
//              ├─ name PRF            (record names, child names)
//              ├─ tag PRF
//              ├─ row sealing         (the scope's own row)
//              ├─ child wrapping      (one input of the children's wrapping keys)
//              ├─ pseudonyms          (lasting line)
//              ├─ envelope            (lasting line)
//              ├─ subject salts       (lasting line of a tenant)
//              ├─ epoch private key   (lasting line of an epoch's scope, at a recovery site)
//              └─ key commitment      (not a key: 32 public bytes)
#pragma once

#include <string_view>

#include "base/secret.hpp"

namespace quietus {

// Roles of keys.
struct UnlockRole {};   // from the passphrase or key file
struct SlotRole {};     // seals one root slot
struct RootRole {};     // seals the root node; lives in a root slot only
struct NodeRole {};     // seals one tree node
struct LeafRole {};     // a leaf of the key tree
struct WrapRole {};     // wraps a scope key
struct ScopeRole {};    // a scope's data line
struct LastingRole {};  // a scope's lasting line
struct RecordRole {};
struct NamePrfRole {};
struct TagPrfRole {};
struct RowRole {};  // seals rows of the control store
struct ChildWrapRole {};
struct PseudonymRole {};
struct EnvelopeRole {};
struct SubjectSaltRole {};  // makes a commitment to the path of an erased scope
struct AnchorRole {};       // authenticates the anchor
struct RootRowRole {};      // authenticates the root row
struct SigningRole {};      // an Ed25519 seed
struct EpochRole {};        // private half of an epoch of an escrow ring (X25519)
struct EphemeralRole {};    // private half of a key pair made for one seal (X25519)
struct EpochSealRole {};    // seals one root key to an epoch

using UnlockKey = Key<UnlockRole>;
using SlotKey = Key<SlotRole>;
using RootKey = Key<RootRole>;
using NodeKey = Key<NodeRole>;
using LeafKey = Key<LeafRole>;
using WrapKey = Key<WrapRole>;
using ScopeKey = Key<ScopeRole>;
using LastingKey = Key<LastingRole>;
using RecordKey = Key<RecordRole>;
using NamePrfKey = Key<NamePrfRole>;
using TagPrfKey = Key<TagPrfRole>;
using RowKey = Key<RowRole>;
using ChildWrapKey = Key<ChildWrapRole>;
using PseudonymKey = Key<PseudonymRole>;
using EnvelopeKey = Key<EnvelopeRole>;
using SubjectSalt = Key<SubjectSaltRole>;
using AnchorKey = Key<AnchorRole>;
using RootRowKey = Key<RootRowRole>;
using SigningKey = Key<SigningRole>;
using EpochPrivateKey = Key<EpochRole>;
using EphemeralKey = Key<EphemeralRole>;
using EpochSealKey = Key<EpochSealRole>;

// One edge: HKDF-Expand with this text and a zero byte in front of the context.
template <class From, class To>
struct Edge {
  std::string_view label;
};

namespace edges {
inline constexpr Edge<UnlockRole, SlotRole> kSlot{"quietus/v1/slot"};
inline constexpr Edge<RootRole, RootRowRole> kRootRow{"quietus/v1/root-row"};
inline constexpr Edge<LeafRole, RowRole> kControlRows{"quietus/v1/control-rows"};
inline constexpr Edge<LeafRole, AnchorRole> kAnchor{"quietus/v1/anchor"};
inline constexpr Edge<ScopeRole, RecordRole> kRecords{"quietus/v1/records"};
inline constexpr Edge<ScopeRole, NamePrfRole> kNames{"quietus/v1/names"};
inline constexpr Edge<ScopeRole, TagPrfRole> kTags{"quietus/v1/tags"};
inline constexpr Edge<ScopeRole, RowRole> kRows{"quietus/v1/rows"};
inline constexpr Edge<ScopeRole, ChildWrapRole> kChildren{"quietus/v1/children"};
inline constexpr Edge<LastingRole, PseudonymRole> kPseudonyms{"quietus/v1/pseudonyms"};
inline constexpr Edge<LastingRole, EnvelopeRole> kEnvelopes{"quietus/v1/envelopes"};
inline constexpr Edge<LastingRole, SubjectSaltRole> kSubjectSalts{"quietus/v1/subject-salts"};
inline constexpr Edge<LastingRole, EpochRole> kEpochs{"quietus/v1/epochs"};
}  // namespace edges

namespace labels {
// HKDF info of the wrapping key of a scope (its input key material is several keys, see
// derive.hpp).
inline constexpr std::string_view kWrap = "quietus/v1/wrap";
// HKDF info of the unlock key made from a key file (salt: the slot's).
inline constexpr std::string_view kUnlock = "quietus/v1/unlock";
// HKDF info of the key that seals a root key to an epoch (epoch_seal.hpp).
inline constexpr std::string_view kEpochSeal = "quietus/v1/epoch-seal";
inline constexpr std::string_view kKeyCommitment = "quietus/v1/key-commitment";
// First bytes of associated data.
inline constexpr std::string_view kSlotData = "quietus/v1/ad/slot";
inline constexpr std::string_view kNodeData = "quietus/v1/ad/node";
inline constexpr std::string_view kWrapData = "quietus/v1/ad/wrap";
inline constexpr std::string_view kRowData = "quietus/v1/ad/row";
inline constexpr std::string_view kRecordData = "quietus/v1/ad/record";
inline constexpr std::string_view kEpochSealData = "quietus/v1/ad/epoch-seal";
// First line of what a subject's commitment is over (evidence/subject.hpp).
inline constexpr std::string_view kSubject = "quietus-subject-1";
// Cobblestone contexts of a large object, and of what is sealed for elsewhere.
inline constexpr std::string_view kObject = "quietus/v1/object";
inline constexpr std::string_view kToken = "quietus/v1/token";
}  // namespace labels

}  // namespace quietus
