// Takes over data of several tenants from the system before, with a report for each.
//
//   multi_tenant_import FOLDER [--accept-unknown-medium]
//
// Each folder below FOLDER/incoming is a tenant; what it holds says into which class it goes:
//
//   customers.ndjson   one record a line, into TENANT/customer-data
//   documents/         a folder of files, into TENANT/documents
//   invoices.csv       "customer,invoice,amount" lines, into a scope for each customer below
//                      TENANT/billing, all invoices of one customer together or not at all
//
// It may be run again, after an interruption or with corrected files: what is there already is
// replaced by the same. A tenant with bad data does not keep the others from coming in.
#include <quietus/portability.hpp>

#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

namespace {

namespace fs = std::filesystem;
using quietus::Error;
using quietus::ErrorCode;
using quietus::Result;

// The vault below `folder`: opened, and made when this is the first start.
Result<quietus::Vault> open_or_create(const fs::path& folder, bool accept_unknown_medium) {
  const auto key_made = quietus::new_key_file(folder / "key");
  if (!key_made && key_made.error().code() != ErrorCode::kAlreadyExists) return key_made.error();
  const auto unlock = quietus::Unlock::key_file(folder / "key");
  auto opened = quietus::Vault::open(folder / "vault", unlock);
  if (opened || opened.error().code() != ErrorCode::kNotFound) return opened;
  quietus::CreateOptions options;
  options.root_folder = folder / "roots";  // in production: elsewhere, and in no backup
  options.accept_unknown_medium = accept_unknown_medium;
  return quietus::Vault::create(folder / "vault", unlock, options);
}

Result<quietus::Scope> find_or_make(quietus::Vault& vault, const std::string& path) {
  auto found = vault.scope(path);
  if (found || found.error().code() != ErrorCode::kNotFound) return found;
  return vault.create_scope(path);
}

// What came of one tenant's data.
struct Report {
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;
  std::ostringstream problems;  // a line each; empty: everything came in

  void add(const quietus::TransferReport& moved) {
    records += moved.records;
    bytes += moved.bytes;
    for (const auto& [name, reason] : moved.skipped)
      problems << "  " << name << ": " << reason << "\n";
    for (const auto& [name, error] : moved.failed) problem(name, error);
    if (moved.stopped) problem("stopped", *moved.stopped);
  }
  void problem(const std::string& what, const Error& error) {
    problems << "  " << what << ": " << name_of(error.code()) << ": " << error.context() << "\n";
  }
};

Result<void> import_customers(quietus::Vault& vault, const std::string& tenant,
                              const fs::path& path, Report& report) {
  QUIETUS_TRY_AS(auto scope, find_or_make(vault, tenant + "/customer-data"));
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error(ErrorCode::kIo, "customers.ndjson cannot be opened");
  report.add(quietus::import_ndjson(scope, [&](quietus::MutableBytes to) -> Result<std::size_t> {
    file.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
    if (file.bad()) return Error(ErrorCode::kIo, "customers.ndjson cannot be read");
    return static_cast<std::size_t>(file.gcount());
  }));
  return {};
}

Result<void> import_documents(quietus::Vault& vault, const std::string& tenant,
                              const fs::path& path, Report& report) {
  QUIETUS_TRY_AS(auto scope, find_or_make(vault, tenant + "/documents"));
  QUIETUS_TRY_AS(const auto moved, quietus::import_folder(scope, path));
  report.add(moved);
  return {};
}

Result<void> import_invoices(quietus::Vault& vault, const std::string& tenant, const fs::path& path,
                             Report& report) {
  std::ifstream file(path);
  if (!file) return Error(ErrorCode::kIo, "invoices.csv cannot be opened");
  std::map<std::string, quietus::Batch> by_customer;
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(',');
    const auto second = line.find(',', first + 1);
    if (first == std::string::npos || second == std::string::npos) {
      report.problem("invoices.csv", Error(ErrorCode::kInvalidArgument, "a line lacks fields"));
      continue;
    }
    by_customer[line.substr(0, first)].put(line.substr(first + 1, second - first - 1),
                                           quietus::as_bytes(line.substr(second + 1)));
  }
  QUIETUS_TRY(find_or_make(vault, tenant + "/billing"));
  for (const auto& [customer, batch] : by_customer) {
    const std::string customer_path = std::string(tenant).append("/billing/").append(customer);
    QUIETUS_TRY_AS(auto scope, find_or_make(vault, customer_path));
    QUIETUS_TRY(scope.write(batch));
    report.records += batch.size();
    for (const auto& write : batch.writes()) report.bytes += write.value ? write.value->size() : 0;
  }
  return {};
}

Result<void> import_tenant(quietus::Vault& vault, const fs::path& source, Report& report) {
  const std::string tenant = source.filename().string();
  QUIETUS_TRY(find_or_make(vault, tenant));
  using Import = Result<void>(quietus::Vault&, const std::string&, const fs::path&, Report&);
  const std::pair<const char*, Import*> imports[] = {{"customers.ndjson", import_customers},
                                                     {"documents", import_documents},
                                                     {"invoices.csv", import_invoices}};
  for (const auto& [name, import] : imports) {
    std::error_code ignored;  // what cannot be looked at counts as not there
    if (fs::exists(source / name, ignored))
      QUIETUS_TRY(import(vault, tenant, source / name, report));
  }
  return {};
}

// Whether everything of all tenants came in.
Result<bool> run(const fs::path& folder, bool accept_unknown_medium) {
  QUIETUS_TRY_AS(auto vault, open_or_create(folder, accept_unknown_medium));
  bool complete = true;
  std::error_code failed;
  for (fs::directory_iterator it(folder / "incoming", failed), end; it != end && !failed;
       it.increment(failed)) {
    Report report;
    const auto done = import_tenant(vault, it->path(), report);
    if (!done) report.problem("stopped", done.error());
    std::cout << it->path().filename().string() << ": " << report.records << " records, "
              << report.bytes << " bytes\n"
              << report.problems.str();
    complete = complete && report.problems.str().empty();
  }
  if (failed) return Error(ErrorCode::kIo, "FOLDER/incoming cannot be read");
  return complete;
}

}  // namespace

int main(int argc, char** argv) {
  const bool accept = argc == 3 && std::string_view(argv[2]) == "--accept-unknown-medium";
  const auto done = argc == 2 || accept
                        ? run(argv[1], accept)
                        : Error(ErrorCode::kInvalidArgument,
                                "usage: multi_tenant_import FOLDER [--accept-unknown-medium]");
  if (!done) std::cerr << name_of(done.error().code()) << ": " << done.error().context() << "\n";
  return done && *done ? 0 : 1;
}
