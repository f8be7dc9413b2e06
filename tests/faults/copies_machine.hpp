// A vault, its recovery site and other instances of it, which operations change in any order; a
// model of who holds which keys; and the loot of whoever watched all of them all the time.
#pragma once

#include <nlohmann/json.hpp>

#include <array>

#include "faults/adversary.hpp"
#include "support/escrow_office.hpp"

namespace quietus::test {

// Behind the kinds of the vault itself those of its other instances. Whether the newest instance
// and tenant are meant, or the oldest, goes by the number of steps.
enum class CopiesOp {
  kCreate,
  kPut,
  kBackup,
  kSnapshot,
  kRotate,
  kPurge,
  kErase,
  kDays,
  kRestore,       // on the same host, from the newest backup
  kRecover,       // at the site, from the newest snapshot with the newest log
  kRecoverOlder,  // without a log: what was erased since comes back
  kEraseThere,
  kBackupThere,
  kDestroyThere,
  kCreateThere,
  kPutThere,
  kRotateThere,
  kPurgeThere,
  kRestoreThere,  // from the newest backup of that instance
};
inline constexpr std::string_view kCopiesLetters = "CPBSRGEDTVWXKNcprgt";

class CopiesMachine {
 public:
  CopiesMachine();
  // Applies them, and checks what certificates say and what the adversary opens then.
  void run(const std::vector<CopiesOp>& ops);
  // Erases everywhere what the vault erased, lets all snapshots expire and hands all certificates
  // to and fro. Then none waits any more, and what lives opens.
  void settle();

 private:
  // Generations of keys, by tenant. They are numbered through, in whichever instance they are made.
  using Keys = std::map<std::size_t, std::set<int>>;
  struct Stored {
    std::string value;
    int generation = 0;
  };
  using Records = std::map<std::size_t, Stored>;  // by tenant

  struct Tenant {
    std::string name;
    ScopeId id = 0;
    int created = 0;  // step
    int generation = 0;
    std::map<std::string, std::set<int>> values;  // that ever were, by what each was sealed under
  };

  // An instance; the first one is the vault itself.
  struct Holder {
    std::shared_ptr<VaultCore> core;
    std::filesystem::path folder;
    std::filesystem::path roots;
    std::string id = std::string(32, '0');
    std::size_t parent = 0;
    int made = 0;  // step
    bool recovered = false;
    int announced = -1;  // step, by the site
    Keys keys;
    Records records;
    std::map<std::size_t, int> erased;  // step, by tenant
    std::map<std::size_t, int> purged;  // the last time
    std::set<std::size_t> taken;        // tenants of which the vault has a receipt
    std::string last_certificate;       // of one that was destroyed
    bool destroyed = false;
    bool last_taken = false;

    Vault vault() const { return Vault(core); }
    bool holds(std::size_t tenant) const { return !destroyed && keys.contains(tenant); }
  };

  // A backup or a snapshot, and the keys that are in it.
  struct Copy {
    int step = 0;
    std::size_t maker = 0;
    bool has_records = false;
    Bytes stream;
    UnixMillis expires = 0;
    EpochPublicKey epoch;
    Keys keys;
    Records records;
  };

  void pass(UnixMillis time);
  void apply(CopiesOp op);
  void change(CopiesOp op, Holder& holder);
  std::size_t a_tenant_of(const Holder& holder) const;
  std::size_t an_instance() const;
  void create(Holder& in);
  void put(Holder& in, std::size_t tenant);
  void rotate(Holder& in, std::size_t tenant);
  void purge(Holder& in, std::size_t tenant);
  void copy(const Holder& from, bool records);
  void days();
  void erase(Holder& in, std::size_t tenant);
  void restore(const Holder& from);
  void recover(bool with_log);
  const Copy* newest_records(std::size_t maker) const;
  void add_instance(std::size_t parent, const std::string& id, Keys keys, const Records& records);
  void destroy(Holder& of);
  void steal();

  // Every certificate of every instance, to all others.
  void exchange();
  void offer(Holder& from, const std::string& certificate, std::set<std::size_t> tenants);

  static nlohmann::json claims_in(const std::string& certificate);
  static std::set<std::string> uncovered_in(const nlohmann::json& claims);
  std::size_t index_of(const Holder& of) const {
    return static_cast<std::size_t>(&of - holders_.data());
  }
  bool epoch_lives(const Copy& copy) const { return copy.expires > rolled_; }
  bool anybody_opens(std::size_t tenant, const std::set<int>& generations) const;
  bool anybody_holds(std::size_t tenant) const;
  void open_at_site();
  std::map<EpochId, RawKey> epochs_left();
  void check_adversary();
  void check_certificates() const;
  void check_certificate(const Holder& of, std::size_t tenant) const;
  void check_named(const Holder& of, std::size_t tenant, const std::set<std::string>& named) const;
  void check_living() const;
  bool knows(const Holder& of, const Holder& other) const;
  bool gives_receipts(const Holder& of) const;

  std::filesystem::path room(const std::string& name) const { return folder_ / name; }
  std::string number() const { return std::to_string(holders_.size()); }
  RestoreOptions options_for(const std::filesystem::path& roots) const;

  SiteOffice site_{{"5d", "15d"}};
  Office live_{nullptr};
  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  int step_ = 0;
  std::vector<Tenant> tenants_;
  std::vector<Holder> holders_;
  std::vector<Copy> copies_;
  UnixMillis rolled_ = 0;
  Loot loot_;
  Loot site_loot_;
};

}  // namespace quietus::test
