#include <string>
#include <utility>

#include "storage/erasure_reserve.hpp"
#include "storage/lmdb_environment.hpp"
#include "storage/lmdb_store.hpp"
#include "storage/transaction_guard.hpp"

namespace quietus {
namespace {

constexpr const char* kControlTables[] = {"control"};
constexpr std::size_t kMaxValue = std::size_t{64} * 1024;

// The rows of one transaction; reading ones are handed out as a ControlReader.
class LmdbControlRows final : public ControlWriter {
 public:
  LmdbControlRows(LmdbRows& rows, MDB_dbi table) noexcept : rows_(rows), table_(table) {}

  Result<std::optional<ByteView>> get(ByteView key) override { return rows_.get(table_, key); }
  Result<void> scan(ByteView prefix, ByteView from, Visitor visit) override {
    return rows_.scan(table_, prefix, from, visit);
  }
  Result<void> put(ByteView key, ByteView value) override {
    if (value.size() > kMaxValue)
      return Error(ErrorCode::kInvalidArgument, "a control row holds at most 64 KiB");
    return rows_.put(table_, key, value);
  }
  Result<void> remove(ByteView key) override { return rows_.remove(table_, key); }

 private:
  LmdbRows& rows_;
  MDB_dbi table_;
};

class LmdbControlStore final : public ControlStore {
 public:
  explicit LmdbControlStore(std::unique_ptr<LmdbEnvironment> environment) noexcept
      : environment_(std::move(environment)), reserve_(*environment_) {}

  Result<void> read(ReadFunction read) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    return environment_->read([&](LmdbRows& rows) {
      LmdbControlRows control(rows, environment_->table(0));
      return read(control);
    });
  }

  Result<void> update(WriteClass write_class, WriteFunction write) override {
    const TransactionGuard guard(this);
    QUIETUS_TRY(guard.outermost());
    return environment_->write([&](LmdbRows& rows) -> Result<void> {
      const bool ordinary = write_class == WriteClass::kOrdinary;
      if (ordinary) QUIETUS_TRY(reserve_.admit());
      LmdbControlRows control(rows, environment_->table(0));
      QUIETUS_TRY(write(control));
      return ordinary ? reserve_.still_there(rows.pages()) : Result<void>();
    });
  }

  bool keeps_reserve() const noexcept override { return reserve_.on_disk(); }
  Result<StoreReaders> readers() override { return environment_->readers(); }

 private:
  std::unique_ptr<LmdbEnvironment> environment_;
  ErasureReserve reserve_;
};

}  // namespace

Result<std::unique_ptr<ControlStore>> open_lmdb_control(const std::filesystem::path& path,
                                                        const LmdbOptions& options) {
  QUIETUS_TRY_AS(
      auto environment,
      LmdbEnvironment::open(path, options, {StoreKind::kControl, options.vault, kControlTables}));
  return std::unique_ptr<ControlStore>(std::make_unique<LmdbControlStore>(std::move(environment)));
}

}  // namespace quietus
