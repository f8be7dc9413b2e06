// The C++ API answers as tests/behaviour/behaviour.json says, as every binding does.
#include <quietus/certificate.hpp>
#include <quietus/vault.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <map>
#include <set>

#include "support/result_matchers.hpp"
#include "support/streams.hpp"
#include "support/temporary_folder.hpp"
#include "support/vector_files.hpp"

namespace quietus {
namespace {

using nlohmann::json;
using test::TemporaryFolder;

// What a step gave: what can be kept, and what is compared with its `gives_…`.
struct Given {
  std::optional<Bytes> content;
  std::optional<Bytes> came;
  std::optional<Bytes> id;
  json fields = json::object();
  bool absent = false;
};

Given came(ByteView bytes) {
  Given given;
  given.came = test::to_bytes(bytes);
  return given;
}
Given content(std::optional<Bytes> bytes) {
  Given given;
  given.absent = !bytes.has_value();
  given.content = std::move(bytes);
  return given;
}
Given fields(json found) {
  Given given;
  given.fields = std::move(found);
  return given;
}
Given presence(bool there) {
  Given given;
  given.absent = !there;
  return given;
}
Result<Given> done(const Result<void>& result) {
  QUIETUS_TRY(result);
  return Given();
}

// A step, which knows what of it was looked at.
class Step {
 public:
  explicit Step(const json& step) : step_(step) {}

  bool has(const std::string& field) const { return step_.contains(field); }
  const json& at(const std::string& field) {
    seen_.insert(field);
    return step_.at(field);
  }
  std::string text(const std::string& field) { return at(field).get<std::string>(); }
  std::string text_or(const std::string& field, const std::string& otherwise) {
    return has(field) ? text(field) : otherwise;
  }
  std::vector<std::string> texts(const std::string& field) {
    return has(field) ? at(field).get<std::vector<std::string>>() : std::vector<std::string>();
  }
  // The bytes that fields with this prefix mean.
  std::optional<Bytes> bytes(const std::string& prefix = "") {
    if (has(prefix + "text")) return test::to_bytes(as_bytes(text(prefix + "text")));
    if (has(prefix + "base64")) {
      auto decoded = from_base64(text(prefix + "base64"));
      REQUIRE(decoded.has_value());
      return *decoded;
    }
    if (!has(prefix + "fill")) return std::nullopt;
    const std::string pattern = text(prefix + "fill");
    Bytes filled(at(prefix + "bytes").get<std::size_t>());
    for (std::size_t i = 0; i < filled.size(); ++i)
      filled[i] = static_cast<std::uint8_t>(pattern[i % pattern.size()]);
    return filled;
  }
  Bytes input() {
    auto given = bytes();
    REQUIRE(given.has_value());
    return *given;
  }
  std::string not_looked_at() const {
    for (const auto& [field, value] : step_.items())
      if (!seen_.contains(field)) return field;
    return {};
  }

 private:
  const json& step_;
  std::set<std::string> seen_;
};

class Machine {
 public:
  Machine() {
    test::must(new_key_file(folder_ / "key"));
    vault_ = std::make_unique<Vault>(
        test::must(Vault::create(folder_ / "vault", Unlock::key_file(folder_ / "key"), options())));
  }

  void run(const json& given) {
    Step step(given);
    const auto found = dos().find(step.text("do"));
    REQUIRE(found != dos().end());
    const std::string wanted = step.text_or("is", "ok");
    const std::string says = step.text_or("says", "");
    const Result<Given> result = (this->*found->second)(step);
    INFO(test::describe(result));
    std::string said = "ok";
    if (!result)
      said = name_of(result.error().code());
    else if (result->absent)
      said = "absent";
    REQUIRE(said == wanted);
    if (!result) REQUIRE(result.error().context().find(says) != std::string::npos);
    if (said == "ok") compare(step, *result);
    REQUIRE(step.not_looked_at().empty());
  }

 private:
  using Do = Result<Given> (Machine::*)(Step&);
  static const std::map<std::string, Do>& dos();

  void compare(Step& step, const Given& given) {
    if (given.content) {
      const auto wanted = step.bytes("gives_");
      if (wanted) REQUIRE((*given.content == *wanted));
    }
    for (const auto& [field, value] : given.fields.items())
      if (step.has("gives_" + field)) REQUIRE(value == step.at("gives_" + field));
    if (step.has("same_as")) REQUIRE((*given.came == kept(step, "same_as")));
    if (step.has("differs_from")) REQUIRE((*given.came != kept(step, "differs_from")));
    if (step.has("keep")) kept_[step.text("keep")] = *given.came;
    if (step.has("keep_id")) kept_[step.text("keep_id")] = *given.id;
  }
  const Bytes& kept(Step& step, const std::string& field) const {
    const auto found = kept_.find(step.text(field));
    REQUIRE(found != kept_.end());
    return found->second;
  }
  std::string kept_text(Step& step, const std::string& field) const {
    return std::string(as_text(kept(step, field)));
  }
  Scope& scope_of(Step& step) {
    const auto found = scopes_.find(step.text("scope"));
    REQUIRE(found != scopes_.end());
    return found->second;
  }
  PutOptions put_options(Step& step) const {
    PutOptions wanted;
    wanted.content_type = step.text_or("content_type", "");
    wanted.expected = expected(step);
    if (step.has("must_be_new")) wanted.must_be_new = step.at("must_be_new").get<bool>();
    return wanted;
  }
  std::optional<Version> expected(Step& step) const {
    if (!step.has("expected")) return std::nullopt;
    return test::to_array<sizeof(Version)>(kept(step, "expected"));
  }

  CreateOptions options() const {
    CreateOptions options;
    options.root_folder = folder_ / "roots";
    options.accept_unknown_medium = true;
    return options;
  }
  static std::int64_t in_days(Step& step) {
    const auto day = std::chrono::system_clock::now().time_since_epoch() +
                     std::chrono::hours(24) * step.at("days").get<int>();
    return std::chrono::duration_cast<std::chrono::milliseconds>(day).count();
  }
  // C and what stands on it are told in one call what C++ cannot say: none of the two, or both.
  Result<Unlock> unlock(Step& step) const {
    const std::string key = step.text_or("key_file", "");
    const std::string passphrase = step.text_or("passphrase_file", "");
    if (key.empty() == passphrase.empty())
      return Error(ErrorCode::kInvalidArgument, "a key file or a passphrase file");
    return key.empty() ? Unlock::passphrase_file(folder_ / passphrase)
                       : Unlock::key_file(folder_ / key);
  }
  Given keep_vault(Vault vault) {
    vault_ = std::make_unique<Vault>(std::move(vault));
    return {};
  }
  Given keep_scope(Step& step, Scope scope) {
    scopes_.insert_or_assign(step.text_or("as", step.text("path")), std::move(scope));
    return {};
  }

  // ---- what is done ------------------------------------------------------------------------

  Result<Given> do_new_key_file(Step& step) {
    return done(quietus::new_key_file(folder_ / step.text("file")));
  }
  Result<Given> do_write_file(Step& step) {
    const auto path = folder_ / step.text("file");
    std::ofstream(path, std::ios::binary) << as_text(step.input());
    std::filesystem::permissions(path, std::filesystem::perms(0600));
    return Given();
  }
  Result<Given> do_create(Step& step) {
    QUIETUS_TRY_AS(const Unlock secret, unlock(step));
    QUIETUS_TRY_AS(Vault made, Vault::create(folder_ / step.text("folder"), secret, options()));
    return keep_vault(std::move(made));
  }
  Result<Given> do_open(Step& step) {
    const auto folder = folder_ / step.text("folder");
    QUIETUS_TRY_AS(const Unlock secret, unlock(step));
    QUIETUS_TRY_AS(Vault opened, Vault::open(folder, secret));
    return keep_vault(std::move(opened));
  }
  Result<Given> do_close(Step&) {
    vault_.reset();
    return Given();
  }
  Result<Given> do_create_scope(Step& step) {
    ScopeOptions wanted;
    wanted.data_class = step.text_or("data_class", "");
    wanted.derived_from = step.texts("derived_from");
    QUIETUS_TRY_AS(Scope made, vault_->create_scope(step.text("path"), wanted));
    return keep_scope(step, std::move(made));
  }
  Result<Given> do_scope(Step& step) {
    const std::string path = step.text("path");
    if (!step.has("use")) {
      QUIETUS_TRY_AS(Scope opened, vault_->scope(path));
      return keep_scope(step, std::move(opened));
    }
    const std::string use = step.text("use");
    for (const RestrictedUse lawful :
         {RestrictedUse::kConsent, RestrictedUse::kLegalClaims, RestrictedUse::kRightsOfOthers,
          RestrictedUse::kPublicInterest})
      if (name_of(lawful) == use) {
        QUIETUS_TRY_AS(Scope opened, vault_->scope(path, lawful));
        return keep_scope(step, std::move(opened));
      }
    return Error(ErrorCode::kInvalidArgument, "no such use");
  }
  Result<Given> do_describe(Step& step) {
    QUIETUS_TRY_AS(const ScopeInfo info, vault_->describe(step.text("path")));
    return fields({{"state", name_of(info.state)}, {"class", info.data_class}});
  }
  Result<Given> do_children(Step& step) {
    QUIETUS_TRY_AS(const auto found, vault_->children(step.text("path")));
    std::vector<std::string> paths;
    for (const ScopeInfo& info : found) paths.push_back(info.path);
    std::ranges::sort(paths);
    return fields({{"paths", paths}});
  }

  Result<Given> do_put(Step& step) {
    QUIETUS_TRY_AS(const Version version,
                   scope_of(step).put(step.text("name"), step.input(), put_options(step)));
    return came(version);
  }
  Result<Given> do_put_stream(Step& step) {
    const Bytes content = step.input();
    QUIETUS_TRY_AS(
        const Version version,
        scope_of(step).put_stream(step.text("name"), test::source_of(content), put_options(step)));
    return came(version);
  }
  Result<Given> do_get(Step& step) {
    QUIETUS_TRY_AS(auto got, scope_of(step).get(step.text("name")));
    return content(std::move(got));
  }
  Result<Given> do_get_stream(Step& step) {
    Bytes got;
    QUIETUS_TRY_AS(const bool there,
                   scope_of(step).get_stream(step.text("name"), test::sink_into(got)));
    return content(there ? std::optional(std::move(got)) : std::nullopt);
  }
  Result<Given> do_stat(Step& step) {
    QUIETUS_TRY_AS(const auto info, scope_of(step).stat(step.text("name")));
    if (!info) return presence(false);
    Given given = came(info->version);
    given.fields = {{"bytes", info->size_bytes}, {"content_type", info->content_type}};
    return given;
  }
  Result<Given> do_remove(Step& step) {
    QUIETUS_TRY_AS(const bool there, scope_of(step).remove(step.text("name"), expected(step)));
    return presence(there);
  }
  Result<Given> do_list(Step& step) {
    std::vector<std::string> names;
    QUIETUS_TRY(
        scope_of(step).list(step.text("prefix"), [&](const RecordInfo& info) -> Result<bool> {
          names.push_back(info.name);
          return true;
        }));
    std::ranges::sort(names);
    return fields({{"names", names}});
  }
  Result<Given> do_batch(Step& step) {
    Batch batch;
    for (const json& write : step.at("writes")) {
      Step one(write);
      const std::string name = one.text("name");
      if (one.text("do") == "remove")
        batch.remove(name);
      else
        batch.put(name, one.input(), put_options(one));
      REQUIRE(one.not_looked_at().empty());
    }
    return done(scope_of(step).write(batch));
  }
  Result<Given> do_seal(Step& step) {
    QUIETUS_TRY_AS(const Bytes token, scope_of(step).seal(step.input()));
    return came(token);
  }
  Result<Given> do_unseal(Step& step) {
    QUIETUS_TRY_AS(Bytes data, scope_of(step).open(kept(step, "token")));
    return content(std::move(data));
  }
  Result<Given> do_pseudonym(Step& step) {
    QUIETUS_TRY_AS(const Pseudonym made, scope_of(step).pseudonym(step.input()));
    return came(made);
  }
  Result<Given> do_value(Step& step) { return came(step.input()); }
  Result<Given> do_flip(Step& step) {
    Bytes bent = kept(step, "of");
    const auto byte = step.at("byte").get<std::ptrdiff_t>();
    bent.at(static_cast<std::size_t>(byte < 0 ? std::ssize(bent) + byte : byte)) ^= 1;
    return came(bent);
  }

  Result<Given> do_suspend(Step& step) {
    QUIETUS_TRY(vault_->lifecycle().suspend(step.text("path"), step.text("reason")));
    return Given();
  }
  Result<Given> do_unsuspend(Step& step) {
    QUIETUS_TRY(vault_->lifecycle().resume(step.text("path"), step.text("reason")));
    return Given();
  }
  Result<Given> do_deactivate(Step& step) {
    QUIETUS_TRY(vault_->lifecycle().deactivate(step.text("path"), step.text("reason")));
    return Given();
  }
  Result<Given> do_rotate(Step& step) {
    QUIETUS_TRY(vault_->lifecycle().rotate(step.text("path"), step.text("reason")));
    return Given();
  }
  Result<Given> do_purge(Step& step) {
    QUIETUS_TRY(vault_->lifecycle().purge(step.text("path"), step.text("reason")));
    return Given();
  }
  Result<Given> do_hold(Step& step) {
    HoldOptions wanted;
    wanted.authority = step.text_or("authority", "");
    QUIETUS_TRY_AS(const HoldInfo hold,
                   vault_->lifecycle().place_hold(step.text("path"), step.text("reason"), wanted));
    return came(as_bytes(hold.id));
  }
  Result<Given> do_release(Step& step) {
    return done(vault_->lifecycle().release_hold(kept_text(step, "hold")));
  }

  Result<Given> do_erase(Step& step) {
    const auto paths = step.texts("paths");
    QUIETUS_TRY_AS(const ErasureReport report, vault_->erase(paths, step.text("reason")));
    Given given = came(as_bytes(report.certificate));
    given.id = test::to_bytes(as_bytes(report.certificate_id));
    std::vector<std::string> subjects;
    for (const SubjectOpening& subject : report.subjects) subjects.push_back(subject.path);
    given.fields = {{"subjects", subjects}};
    return given;
  }
  Result<Given> do_schedule_erasure(Step& step) {
    const auto paths = step.texts("paths");
    QUIETUS_TRY(vault_->retention().schedule_erasure(paths, step.text("reason")));
    return Given();
  }
  Result<Given> do_cancel_erasure(Step& step) {
    const auto paths = step.texts("paths");
    return done(vault_->retention().cancel_erasure(paths));
  }
  Result<Given> do_apply_policy(Step& step) {
    QUIETUS_TRY(vault_->retention().apply_policy(step.text("text")));
    return Given();
  }
  Result<Given> do_terminate(Step& step) {
    return done(vault_->retention().terminate(step.text("path"), in_days(step)));
  }
  Result<Given> do_withdraw_consent(Step& step) {
    return done(vault_->retention().withdraw_consent(step.text("path"), in_days(step)));
  }
  Result<Given> do_cancel_termination(Step& step) {
    return done(vault_->retention().cancel_termination(step.text("path")));
  }
  Result<Given> do_sweep(Step& step) {
    SweepOptions wanted;
    wanted.dry_run = step.at("dry_run").get<bool>();
    QUIETUS_TRY_AS(const SweepReport swept, vault_->retention().sweep(wanted));
    return fields({{"scopes", swept.scopes}});
  }
  Result<Given> do_resume(Step&) {
    QUIETUS_TRY_AS(const auto finished, vault_->resume());
    return fields({{"count", finished.size()}});
  }

  Result<Given> do_certificates(Step&) {
    QUIETUS_TRY_AS(const auto listed, vault_->certificates());
    return fields({{"count", listed.size()}});
  }
  Result<Given> do_certificate(Step& step) {
    QUIETUS_TRY_AS(const std::string found, vault_->certificate(kept_text(step, "id")));
    return came(as_bytes(found));
  }
  Result<Given> do_certificate_of(Step& step) {
    QUIETUS_TRY_AS(const std::string found, vault_->certificate_of(step.text("path")));
    return came(as_bytes(found));
  }
  Result<Given> do_issuing_key(Step&) {
    QUIETUS_TRY_AS(const std::string pem, vault_->issuing_key_pem());
    return came(as_bytes(pem));
  }
  Result<Given> do_verify(Step& step) {
    const std::string key = kept_text(step, "key");
    QUIETUS_TRY_AS(const VerifiedCertificate verified,
                   verify_certificate(kept(step, "certificate"), key));
    return fields({{"status", name_of(verified.status())},
                   {"reason", verified.reason()},
                   {"decided_by", verified.decision().by},
                   {"scopes", verified.scope_ids().size()}});
  }
  Result<Given> do_check(Step&) {
    QUIETUS_TRY_AS(const CheckReport found, vault_->check());
    return fields({{"damages", found.damages.size()}});
  }

  TemporaryFolder folder_{TemporaryFolder::in_memory()};
  std::unique_ptr<Vault> vault_;
  std::map<std::string, Scope> scopes_;
  std::map<std::string, Bytes> kept_;
};

const std::map<std::string, Machine::Do>& Machine::dos() {
  static const std::map<std::string, Do> all = {
      {"new_key_file", &Machine::do_new_key_file},
      {"write_file", &Machine::do_write_file},
      {"create", &Machine::do_create},
      {"open", &Machine::do_open},
      {"close", &Machine::do_close},
      {"create_scope", &Machine::do_create_scope},
      {"scope", &Machine::do_scope},
      {"describe", &Machine::do_describe},
      {"children", &Machine::do_children},
      {"put", &Machine::do_put},
      {"put_stream", &Machine::do_put_stream},
      {"get", &Machine::do_get},
      {"get_stream", &Machine::do_get_stream},
      {"stat", &Machine::do_stat},
      {"remove", &Machine::do_remove},
      {"list", &Machine::do_list},
      {"batch", &Machine::do_batch},
      {"seal", &Machine::do_seal},
      {"unseal", &Machine::do_unseal},
      {"pseudonym", &Machine::do_pseudonym},
      {"value", &Machine::do_value},
      {"flip", &Machine::do_flip},
      {"suspend", &Machine::do_suspend},
      {"unsuspend", &Machine::do_unsuspend},
      {"deactivate", &Machine::do_deactivate},
      {"rotate", &Machine::do_rotate},
      {"purge", &Machine::do_purge},
      {"hold", &Machine::do_hold},
      {"release", &Machine::do_release},
      {"erase", &Machine::do_erase},
      {"schedule_erasure", &Machine::do_schedule_erasure},
      {"cancel_erasure", &Machine::do_cancel_erasure},
      {"apply_policy", &Machine::do_apply_policy},
      {"terminate", &Machine::do_terminate},
      {"withdraw_consent", &Machine::do_withdraw_consent},
      {"cancel_termination", &Machine::do_cancel_termination},
      {"sweep", &Machine::do_sweep},
      {"resume", &Machine::do_resume},
      {"certificates", &Machine::do_certificates},
      {"certificate", &Machine::do_certificate},
      {"certificate_of", &Machine::do_certificate_of},
      {"issuing_key", &Machine::do_issuing_key},
      {"verify", &Machine::do_verify},
      {"check", &Machine::do_check},
  };
  return all;
}

TEST_CASE("the C++ API answers as the table says") {
  const auto table = std::filesystem::path(QUIETUS_SOURCE_DIR) / "tests/behaviour/behaviour.json";
  const json read = test::read_json(table);
  REQUIRE(!read.at("cases").empty());
  for (const json& one : read.at("cases")) {
    DYNAMIC_SECTION(one.at("name").get<std::string>()) {
      Machine machine;
      for (const json& step : one.at("steps")) {
        INFO(step.dump().substr(0, 300));
        machine.run(step);
      }
    }
  }
}

}  // namespace
}  // namespace quietus
