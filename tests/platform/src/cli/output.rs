//! Requests, jobs and attempts as people and programs read them. No secret is among them.

use provision_platform::clock::{self, Millis};
use provision_platform::pki::DeviceKey;
use provision_platform::store::{Job, ProvisionRequest, Store, StoreError, Window};
use serde_json::{json, Value};

fn time(time: Option<Millis>) -> Value {
    time.map(clock::text).into()
}

/// `ENABLED` or `DISABLED`, with the reason why it cannot be used now.
fn status(request: &ProvisionRequest) -> &'static str {
    match (request.enabled, request.window(clock::now())) {
        (false, _) => "DISABLED",
        (true, Window::Active) => "ENABLED",
        (true, Window::NotActive) => "NOT ACTIVE",
        (true, Window::Expired) => "EXPIRED",
    }
}

/// Everything about a request.
pub(super) fn document(store: &Store, request: &ProvisionRequest) -> Result<Value, StoreError> {
    let jobs = store.jobs(request.id)?;
    let jobs: Vec<Value> = jobs
        .iter()
        .map(|j| job(store, j))
        .collect::<Result<_, _>>()?;
    let names: Vec<String> = store
        .attachments(request.id)?
        .into_iter()
        .map(|a| a.name)
        .collect();
    let packages: Vec<Value> = store
        .packages(request.id)?
        .into_iter()
        .map(|p| {
            json!({
                "name": p.name,
                "version": p.version,
                "file": p.file_name,
                "sha256": p.sha256,
                "bytes": p.size,
            })
        })
        .collect();
    let access = store.package_access(request.id)?;
    Ok(json!({
        "id": request.id,
        "client_id": request.client_id,
        "username": request.username,
        "status": status(request),
        "activation_key": request.activation_key.is_some(),
        "activates_on": time(request.activates_on),
        "expires_on": time(request.expires_on),
        "attempts": request.attempts,
        "max_attempts": request.max_attempts,
        "account": request.target.account,
        "target_client_id": request.target.client_id,
        "configurations": names,
        "packages": packages,
        "package_credentials": access.is_some_and(|a| a.credentials.is_some()),
        "device_key": request.device_key.map(DeviceKey::name),
        "created_on": time(Some(request.created_on)),
        "refused_at_broker": store.knock(&request.client_id, request.created_on)?.map(|knock| json!({
            "named": knock.named,
            "count": knock.count,
            "first_on": time(Some(knock.first_on)),
            "last_on": time(Some(knock.last_on)),
        })),
        "jobs": jobs,
    }))
}

fn job(store: &Store, job: &Job) -> Result<Value, StoreError> {
    let mut attempts = Vec::new();
    for attempt in store.attempts(job.id)? {
        let exchanges: Vec<Value> = store
            .exchanges(attempt.id)?
            .into_iter()
            .map(|e| {
                json!({
                    "request": e.application_topic,
                    "bytes": e.payload_bytes,
                    "sent_on": e.sent_on,
                    "replied_on": e.replied_on,
                    "response_code": e.response_code,
                    "error_code": e.error_code,
                    "message": e.message,
                })
            })
            .collect();
        let downloads: Vec<Value> = store
            .downloads(attempt.id)?
            .into_iter()
            .map(|d| {
                json!({
                    "name": d.name,
                    "version": d.version,
                    "status": d.status,
                    "progress": d.progress,
                    "message": d.message,
                })
            })
            .collect();
        attempts.push(json!({
            "number": attempt.number,
            "started_on": time(Some(attempt.started_on)),
            "ended_on": time(attempt.ended_on),
            "outcome": attempt.outcome,
            "message": attempt.message,
            "exchanges": exchanges,
            "downloads": downloads,
        }));
    }
    let certificates: Vec<Value> = store
        .issued(job.id)?
        .into_iter()
        .map(|c| {
            json!({
                "serial": c.serial,
                "fingerprint": c.fingerprint,
                "common_name": c.common_name,
                "key": c.key,
                "issued_on": time(Some(c.issued_on)),
                "certificate": c.certificate,
            })
        })
        .collect();
    Ok(json!({
        "transaction_id": job.transaction_id,
        "state": job.state.as_str(),
        "error_code": job.error_code,
        "error_message": job.error_message,
        "changed_on": time(Some(job.changed_on)),
        "certificates": certificates,
        "attempts": attempts,
    }))
}

/// One request in a few lines.
pub(super) fn sheet(store: &Store, request: &ProvisionRequest) -> Result<String, StoreError> {
    let or = |time: Option<Millis>, other: &str| time.map_or(other.to_owned(), clock::text);
    let limit = request
        .max_attempts
        .map_or("no limit".to_owned(), |m| m.to_string());
    let mut text = format!(
        "provision request {}\n\
         \x20 client-id       {}\n\
         \x20 username        {}\n\
         \x20 status          {}\n\
         \x20 activation key  {}\n\
         \x20 active          from {} until {}\n\
         \x20 attempts        {} of {limit}\n\
         \x20 target          {} as {}\n\
         \x20 device key      {}\n",
        request.id,
        request.client_id,
        request.username,
        status(request),
        if request.activation_key.is_some() {
            "required"
        } else {
            "none"
        },
        or(Some(request.activates_on.unwrap_or(request.created_on)), ""),
        or(request.expires_on, "for ever"),
        request.attempts,
        request.target.account,
        request.target.client_id,
        request.device_key.map_or("none", DeviceKey::name),
    );
    if let Some(knock) = store.knock(&request.client_id, request.created_on)? {
        text.push_str(&format!(
            "  refused         {} by the broker, {} since {}{}: client-id, username or password differ\n",
            clock::text(knock.last_on),
            knock.count,
            clock::text(knock.first_on),
            match knock.named {
                true => "",
                false => ", of this or another device (its log names none)",
            }
        ));
    }
    for package in store.packages(request.id)? {
        text.push_str(&format!(
            "  package         {} {} ({} bytes, {})\n",
            package.name, package.version, package.size, package.file_name
        ));
    }
    for job in store.jobs(request.id)? {
        let transaction = job
            .transaction_id
            .as_deref()
            .unwrap_or("no device has come");
        text.push_str(&format!(
            "  job             {} ({transaction})\n",
            job.state
        ));
        for certificate in store.issued(job.id)? {
            text.push_str(&format!(
                "    certificate   {}  {}\n",
                certificate.serial, certificate.fingerprint
            ));
        }
        for attempt in store.attempts(job.id)? {
            let outcome = attempt.outcome.as_deref().unwrap_or("running");
            let message = attempt.message.unwrap_or_default();
            let start = clock::text(attempt.started_on);
            text.push_str(&format!(
                "    attempt {}     {start}  {outcome}  {message}\n",
                attempt.number
            ));
            for download in store.downloads(attempt.id)? {
                text.push_str(&format!(
                    "      {} {}  {} {} %  {}\n",
                    download.name,
                    download.version,
                    download.status,
                    download.progress,
                    download.message.unwrap_or_default()
                ));
            }
        }
    }
    Ok(text)
}

/// All requests, one a line.
pub(super) fn table(store: &Store, requests: &[ProvisionRequest]) -> Result<String, StoreError> {
    let mut text = format!(
        "{:>4}  {:<24} {:<12} {:<14} {:>8}\n",
        "ID", "CLIENT-ID", "STATUS", "JOB", "ATTEMPTS"
    );
    for request in requests {
        let job = store.current_job(request.id)?;
        let state = job.map_or("", |job| job.state.as_str());
        text.push_str(&format!(
            "{:>4}  {:<24} {:<12} {state:<14} {:>8}\n",
            request.id,
            request.client_id,
            status(request),
            request.attempts,
        ));
    }
    Ok(text)
}
