#include <quietus/scope.hpp>

#include "scope_impl.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

// What was read or written counts as activity of the scope.
template <class T>
Result<T> noted(VaultCore& core, const Scope::Impl& scope, Result<T> result) {
  if (result) core.activity->note(scope.access.scope);
  return result;
}

}  // namespace

Result<std::shared_ptr<VaultCore>> open_core(const Scope::Impl& scope) {
  auto core = scope.core.lock();
  if (!core) return Error(ErrorCode::kUnavailable, "the vault is closed");
  return core;
}

Scope make_scope(const std::shared_ptr<VaultCore>& core, const ScopeAccess& access) {
  return Scope(std::make_shared<const Scope::Impl>(Scope::Impl{core, access}));
}

Batch& Batch::put(std::string_view name, ByteView value, PutOptions options) {
  writes_.push_back({std::string(name), Bytes(value.begin(), value.end()), std::move(options)});
  return *this;
}

Batch& Batch::remove(std::string_view name) {
  writes_.push_back({std::string(name), std::nullopt, {}});
  return *this;
}

std::uint64_t Scope::id() const noexcept {
  return impl_->access.scope;
}

Error no_callback() {
  return {ErrorCode::kInvalidArgument, "there is no callback to call"};
}

Result<Version> Scope::put(std::string_view name, ByteView value, const PutOptions& options) {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->put(impl_->access, name, value, options));
}

Result<Version> Scope::put_stream(std::string_view name, const ByteSource& source,
                                  const PutOptions& options) {
  if (!source) return no_callback();
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->put_stream(impl_->access, name, source, options));
}

Result<std::optional<Bytes>> Scope::get(std::string_view name) const {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->get(impl_->access, name));
}

Result<std::optional<std::size_t>> Scope::get_into(std::string_view name, MutableBytes out) const {
  const auto core = open_core(*impl_);
  if (core) return noted(**core, *impl_, core.value()->records->get_into(impl_->access, name, out));
  wipe(out);
  return core.error();
}

Result<bool> Scope::get_stream(std::string_view name, const ByteSink& sink) const {
  if (!sink) return no_callback();
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->get_stream(impl_->access, name, sink));
}

Result<std::optional<RecordInfo>> Scope::stat(std::string_view name) const {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->stat(impl_->access, name));
}

Result<bool> Scope::remove(std::string_view name, std::optional<Version> expected) {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->remove(impl_->access, name, expected));
}

Result<void> Scope::write(const Batch& batch) {
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->write(impl_->access, batch.writes()));
}

Result<void> Scope::list(std::string_view prefix,
                         const std::function<Result<bool>(const RecordInfo&)>& visit) const {
  if (!visit) return no_callback();
  QUIETUS_TRY_AS(const auto core, open_core(*impl_));
  return noted(*core, *impl_, core->records->list(impl_->access, prefix, visit));
}

}  // namespace quietus
