// Keys in memory, and the rule by which they leave it. Everything that uses a key does so inside a
// Use; when a root change is published (holders.hpp), the keys loaded before it are dropped, the
// process waits until no Use from before is left, wipes the working memory of the ciphers, and only
// then acknowledges.
#pragma once

#include <quietus/result.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "crypto/aead.hpp"
#include "crypto/labels.hpp"
#include "keys/holders.hpp"
#include "keys/key_state.hpp"

namespace quietus {

// What the vault itself needs, of one root generation.
struct VaultKeys {
  std::uint64_t generation;  // root generation
  RootKey root;
  RowKey rows;       // seals rows of the control store
  AnchorKey anchor;  // authenticates the anchor
};

// What is derived from one generation of a scope's data line.
struct GenerationKeys {
  std::uint32_t generation;
  RecordKey records;
  NamePrfKey names;
  RowKey rows;
  ChildWrapKey children;
};

// What a scope's keys may be used for: the least that the states of the scope itself and of all
// that it depends on allow.
struct Standing {
  Allowance protect = Allowance::kYes;
  Allowance process = Allowance::kYes;
  KeyState limited_by = KeyState::kActive;  // the state that allows least
  bool held = false;                        // a legal hold covers it
  bool restricted = false;                  // processing is restricted by a suspended key
  bool to_be_erased = false;                // an erasure was asked for and waits

  void limit_to(KeyState state) noexcept;
  void limit_to(const Standing& other) noexcept;
};

// The keys of a scope's data line: those of its newest generation, and the older ones that some of
// its rows still need.
struct ScopeKeys : GenerationKeys {
  ScopeId id;
  Standing standing;
  std::vector<GenerationKeys> older;  // newest first

  // nullptr when there is no such generation, or it is destroyed.
  const GenerationKeys* of_generation(std::uint32_t wanted) const noexcept;
};

// The keys of a scope's lasting line: what they sealed stays readable as long as the scope lives,
// whatever rotates.
struct LastingKeys {
  struct Envelope {
    std::uint32_t generation;
    EnvelopeKey key;
  };
  ScopeId id;
  PseudonymKey pseudonyms;          // from the line's first key, for ever
  std::vector<Envelope> envelopes;  // newest first; never empty

  // nullptr when there is no such generation.
  const EnvelopeKey* of_generation(std::uint32_t wanted) const noexcept;
};

class KeyCache {
 public:
  enum class Mode { kGuarded, kNone };

  // `holders` must outlive the cache. kGuarded starts one thread. The constructor throws
  // std::system_error where none is to be had, start() says kUnavailable.
  KeyCache(Holders& holders, Mode mode);
  static Result<std::unique_ptr<KeyCache>> start(Holders& holders, Mode mode);
  ~KeyCache();
  KeyCache(const KeyCache&) = delete;
  KeyCache& operator=(const KeyCache&) = delete;

 private:
  struct Contents {
    std::uint64_t epoch = 0;
    std::shared_mutex mutex;
    std::shared_ptr<const VaultKeys> vault;
    std::unordered_map<ScopeId, std::shared_ptr<const ScopeKeys>> scopes;
    std::unordered_map<ScopeId, std::shared_ptr<const LastingKeys>> lasting;
  };
  struct Slot {
    std::atomic<std::uint64_t> active{0};  // 0: free; else the epoch it began in
    std::atomic<bool> wanted{false};       // by somebody who wipes it: operations go elsewhere
    std::unique_ptr<GcmContext> context;
  };

 public:
  // One operation of one thread. Keys obtained in it must not outlive it. Short: an erasure waits
  // for it, so a stream takes one Use per chunk.
  class Use {
   public:
    Use(Use&& other) noexcept;
    Use& operator=(Use&&) = delete;
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();

    GcmContext& context() const noexcept { return *slot_->context; }
    std::uint64_t epoch() const noexcept { return epoch_; }
    // False once a root change was published since the Use began: what was read must be wiped and
    // read again, what was to be written must not be.
    bool current() const noexcept { return cache_->holders_.epoch() == epoch_; }

    // Called once what was written is durable: from then on the operation stands, whatever is
    // published after.
    void set_committed() const noexcept { committed_ = true; }
    bool committed() const noexcept { return committed_; }

    // Called when a newer generation of a scope's key was met than the Use knows of, though no
    // epoch says so: whoever began to replace the key was killed, or published where this process
    // does not look.
    void set_outdated() const noexcept { outdated_ = true; }
    bool outdated() const noexcept { return outdated_; }

    // From here on scopes are looked up for this Use alone, as if nothing had been cached.
    void set_apart();

    std::shared_ptr<const VaultKeys> vault() const;
    std::shared_ptr<const ScopeKeys> scope(ScopeId id) const;
    std::shared_ptr<const LastingKeys> lasting(ScopeId id) const;
    void keep(std::shared_ptr<const VaultKeys> keys) const;
    void keep(std::shared_ptr<const ScopeKeys> keys) const;
    void keep(std::shared_ptr<const LastingKeys> keys) const;
    // A Use that begins afterwards loads them again.
    void forget(ScopeId id) const;

   private:
    friend class KeyCache;
    Use(KeyCache& cache, Slot& slot, std::uint64_t epoch, std::shared_ptr<Contents> contents)
        : cache_(&cache), slot_(&slot), epoch_(epoch), contents_(std::move(contents)) {}
    KeyCache* cache_;
    Slot* slot_;
    std::uint64_t epoch_;
    std::shared_ptr<Contents> contents_;
    mutable bool committed_ = false;
    mutable bool outdated_ = false;
  };

  // kUnavailable in a forked child.
  Result<Use> begin();

  // Whether this is the copy in a forked child.
  bool forked() const noexcept { return forked_.load(std::memory_order_relaxed); }

  // Called around fork(): nothing of the ciphers' working memory may be in the child, and guarded
  // memory reads as zero there.
  void before_fork() noexcept;
  void after_fork_in_parent() noexcept;
  void after_fork_in_child() noexcept;

 private:
  static constexpr std::size_t kSlots = 128;
  static constexpr std::size_t kMaxScopes = 16384;
  static constexpr std::uint64_t kLocked = ~std::uint64_t{0};

  Slot& claim(std::uint64_t& epoch);
  void follow_epochs();
  void forget() noexcept;
  void drop_before(std::uint64_t epoch);
  void quiesce(Slot& slot, std::uint64_t epoch) noexcept;
  std::shared_ptr<Contents> contents_of(std::uint64_t epoch);

  Holders& holders_;
  Mode mode_;
  std::uint64_t first_epoch_;
  std::array<Slot, kSlots> slots_;
  std::mutex mutex_;
  std::shared_ptr<Contents> contents_;  // guarded by mutex_
  std::atomic<bool> stopping_{false};
  std::atomic<bool> forked_{false};
  std::thread thread_;
};

}  // namespace quietus
