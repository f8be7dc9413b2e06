// A data subject: every scope of a tenant whose path ends in the same element.
#include <quietus/vault.hpp>

#include <algorithm>

#include "names.hpp"
#include "scope_paths.hpp"
#include "vault_core.hpp"

namespace quietus {
namespace {

constexpr std::size_t kScopesLookedInto = 512;  // scopes that are looked into on one snapshot

class SubjectSearch {
 public:
  SubjectSearch(std::string_view tenant, std::string_view name) : tenant_(tenant), name_(name) {}

  Result<void> begin(ControlReader& reader, ScopeTable& scopes) {
    QUIETUS_TRY(parse_scope_path(tenant_));
    if (tenant_.find('/') != std::string_view::npos)
      return Error(ErrorCode::kInvalidArgument, "a data subject is looked for in a tenant");
    QUIETUS_TRY(validate_scope_element(name_));
    QUIETUS_TRY_AS(const ScopeId tenant, resolve_path(reader, scopes, tenant_));
    open_ = {{tenant, true}};
    QUIETUS_TRY_AS(const auto classes, rows::readable_children(reader, scopes.seal(), tenant));
    for (const ScopeId of_class : classes.ids) open_.push_back({of_class, true});
    found_.unreadable = classes.damaged;
    return {};
  }

  // Looks into so many scopes; true when none is left.
  Result<bool> go_on(ControlReader& reader, ScopeTable& scopes) {
    for (std::size_t looks = 0; looks < kScopesLookedInto && at_ < open_.size(); ++looks) {
      const Result<void> looked = look_into(reader, scopes, open_[at_]);
      const bool is_damaged = !looked && (looked.error().code() == ErrorCode::kCorrupt ||
                                          looked.error().code() == ErrorCode::kNotFound);
      if (!looked && !is_damaged) return looked.error();
      found_.unreadable += is_damaged ? 1 : 0;
      ++at_;
    }
    return at_ == open_.size();
  }

  SubjectScopes take() {
    for (auto* list : {&found_.paths, &found_.nothing_in}) std::sort(list->begin(), list->end());
    return std::move(found_);
  }

 private:
  struct Place {
    ScopeId scope = 0;
    bool told = false;  // the tenant or one of its classes: said when there is nothing in it
  };

  static Result<bool> has_children(ControlReader& reader, const RowSeal& seal, ScopeId scope) {
    bool any = false;
    const auto looked = rows::child_names(reader, seal, {scope, 0, {}},
                                          [&](const rows::ChildName&, ScopeId) -> Result<bool> {
                                            any = true;
                                            return false;
                                          });
    // One that is damaged is there too.
    if (!looked && looked.error().code() == ErrorCode::kCorrupt) return true;
    QUIETUS_TRY(looked);
    return any;
  }

  Result<void> look_into(ControlReader& reader, ScopeTable& scopes, Place place) {
    const auto usable = scopes.keys(reader, place.scope);
    if (!usable && usable.error().code() == ErrorCode::kErased) return {};
    QUIETUS_TRY(usable);
    QUIETUS_TRY_AS(const bool any, has_children(reader, scopes.seal(), place.scope));
    if (!any && !place.told) return {};
    QUIETUS_TRY_AS(const auto child, scopes.child_of_any_state(reader, place.scope, name_));
    QUIETUS_TRY_AS(std::string path, path_of(reader, scopes, place.scope));
    const bool is_tenant = path == tenant_;
    if (!is_tenant) QUIETUS_TRY(look_below(reader, scopes, place.scope, child));
    if (!child) {
      if (place.told && !is_tenant) found_.nothing_in.push_back(std::move(path));
      return {};
    }
    const auto alive = scopes.keys(reader, *child);
    if (!alive && alive.error().code() != ErrorCode::kErased) return alive.error();
    if (alive)
      found_.paths.push_back(path + "/" + std::string(name_));
    else
      ++found_.erased;
    return {};
  }

  // What is found belongs to the subject with all that lies below it. The classes of a tenant are
  // looked into already.
  Result<void> look_below(ControlReader& reader, ScopeTable& scopes, ScopeId scope,
                          const std::optional<ScopeId>& found) {
    QUIETUS_TRY_AS(const auto below, rows::readable_children(reader, scopes.seal(), scope));
    found_.unreadable += below.damaged;
    for (const ScopeId child : below.ids)
      if (child != found) open_.push_back({child, false});
    return {};
  }

  std::string_view tenant_;
  std::string_view name_;
  std::vector<Place> open_;
  std::size_t at_ = 0;
  SubjectScopes found_;
};

}  // namespace

Result<SubjectScopes> Vault::subject(std::string_view tenant, std::string_view name) {
  if (!core_) return Error(ErrorCode::kUnavailable, "the vault is closed");
  SubjectSearch search(tenant, name);
  QUIETUS_TRY(
      core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
        return search.begin(reader, scopes);
      }));
  for (bool done = false; !done;)
    QUIETUS_TRY(
        core_->read([&](ControlReader& reader, ScopeTable& scopes, const RootRow&) -> Result<void> {
          QUIETUS_TRY_AS(done, search.go_on(reader, scopes));
          return {};
        }));
  return search.take();
}

}  // namespace quietus
