//! E-mail over SMTP, against a real mail server that the tests start: aiosmtpd, in the Python that `CARILLON_MAIL_PYTHON` names.

use std::cell::RefCell;
use std::process::Stdio;
use std::time::Duration;

use carillon_core::catalog::{Catalog, EventRef, NotificationEvent, Target};
use carillon_core::event_types::notification::{self, Channel};
use carillon_core::ids::Fire;
use carillon_core::job::{RunError, codes};
use carillon_core::json::Field;
use carillon_core::ports::Targets as _;
use carillon_core::request::{DispatchId, DispatchRequest};
use carillon_embedded::SystemClock;
use carillon_executor::targets::{NoAws, Providers};
use carillon_outbound::secrets::EnvSecrets;
use carillon_outbound::{AllowList, Outbound, Roots};
use carillon_tests::env::variable;
use carillon_tests::process::{Launch, root};
use carillon_tests::receiver::answer;
use carillon_tests::target;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// The server's process. It ends with its standard input, which ends with this.
struct Server {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: Value,
}

impl Server {
    async fn start() -> Self {
        let python = variable("CARILLON_MAIL_PYTHON").expect("./tests/run mail names a Python with the mail server");
        let mut command = Command::new(python);
        command
            .arg(root().join("tests/mail/server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut process = command.spawn().expect("the mail server starts");
        let mut lines = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
        let told = next(&mut lines).await;
        Self { _process: process, lines, told }
    }

    fn port(&self, kind: &str) -> u16 {
        self.told[kind].as_u64().and_then(|port| port.try_into().ok()).unwrap_or_else(|| panic!("no port for {kind}"))
    }

    /// A way out that may dial the server, and trusts its authority.
    fn outbound(&self, kind: &str) -> Outbound {
        let roots = Roots::parse(self.told["authority"].as_str().expect("PEM")).expect("a certificate");
        outbound(&format!("localhost:{}", self.port(kind))).trusting(roots)
    }

    /// A message that the server took.
    async fn taken(&mut self) -> Value {
        next(&mut self.lines).await
    }

    fn channel(&self, kind: &str, input: &Value) -> Channel {
        let tls = if kind == "implicit" { "implicit" } else { "starttls" };
        self.channel_as(kind, input, &json!({"tls": tls, "username": "svc", "password": "env:SMTP"}))
    }

    fn channel_as(&self, kind: &str, input: &Value, more: &Value) -> Channel {
        let mut email = json!({"provider": "smtp", "host": "localhost", "port": self.port(kind),
            "from": "Café <shop@example.com>", "reply_to": "help@example.com"});
        email.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said =
            json!({"subject": {"en": "Order {{n}}: grüße"}, "text": "Hi {{name}} é\n.\n", "html": "<p>{{name}} é</p>"});
        let document = json!({"envs": ["prd"],
            "notifications": {"n": {"envs": {"prd": {"email": email}}, "messages": {"shipped": {"email": said}}}}});
        let catalog = Catalog::from_document(&document).unwrap();
        let target = catalog.resolve(EventRef { event: "n:shipped", event_type: None, app: None }).unwrap();
        let Target::Notification(NotificationEvent { notification, message }) = target else { panic!("{target:?}") };
        let (faults, input) = (RefCell::default(), json!({"email": input}));
        let channels = notification::channels(notification, message, "prd", &Field::root(&input, &faults));
        let [channel] = channels.unwrap_or_else(|| panic!("{faults:?}")).try_into().unwrap();
        channel
    }
}

fn outbound(open: &str) -> Outbound {
    Outbound::new(AllowList::parse(&[open.to_owned()]).unwrap())
}

async fn next(lines: &mut Lines<BufReader<ChildStdout>>) -> Value {
    let line = timeout(SOON, lines.next_line()).await.expect("the mail server answers").expect("it writes UTF-8");
    serde_json::from_str(&line.expect("the mail server runs")).expect("it writes JSON")
}

/// The outcome of a channel that is sent with this password.
async fn sent(outbound: Outbound, channel: &Channel, password: &str) -> Result<Value, RunError> {
    let fire: Fire = "job_01HF7YAT00000000000000000Z_g1_r1".parse().unwrap();
    let id = DispatchId { place: channel.place(), ..DispatchId::of(fire) };
    let call = DispatchRequest { id, attempt: 1, timeout_ms: 20_000, trace: None, request: channel.request.clone() };
    let secrets = EnvSecrets::new([("SMTP".to_owned(), password.to_owned())]);
    let targets = Providers::new(outbound, secrets, SystemClock, NoAws);
    notification::outcome(channel.provider, targets.dispatch(call).await)
}

fn to(recipient: &str) -> Value {
    json!({"to": recipient, "data": {"n": 7, "name": "Ada"}})
}

#[tokio::test]
async fn a_message_arrives_encrypted_and_whole_both_ways() {
    let mut server = Server::start().await;
    let input = json!({"to": ["a@example.com", "b@example.com"], "cc": "c@example.com", "bcc": "hidden@example.com",
        "data": {"n": 7, "name": "Ada <&>"}});
    for kind in ["starttls", "implicit"] {
        let result = sent(server.outbound(kind), &server.channel(kind, &input), "s3cr3t").await.unwrap();
        let id = "<job_01HF7YAT00000000000000000Z_g1_r1_email@example.com>";
        assert_eq!(result, json!({"provider": "smtp", "id": id, "response": "2.0.0 OK: queued as 4F1C"}), "{kind}");
        let taken = server.taken().await;
        assert_eq!((&taken["tls"], &taken["user"]), (&json!(true), &json!("svc")), "{kind}");
        let recipients = json!(["a@example.com", "b@example.com", "c@example.com", "hidden@example.com"]);
        assert_eq!((&taken["from"], &taken["to"]), (&json!("shop@example.com"), &recipients));
        let header = |name: &str| {
            let found = taken["headers"].as_array().unwrap().iter().filter(|pair| pair[0] == name);
            found.map(|pair| pair[1].as_str().unwrap()).collect::<Vec<_>>().join("|")
        };
        assert_eq!(header("subject"), "Order 7: grüße");
        assert_eq!(header("from"), "Café <shop@example.com>");
        assert_eq!((header("to").as_str(), header("cc").as_str()), ("a@example.com, b@example.com", "c@example.com"));
        assert_eq!((header("bcc").as_str(), header("reply-to").as_str()), ("", "help@example.com"));
        assert_eq!((header("message-id").as_str(), header("mime-version").as_str()), (id, "1.0"));
        assert!(!header("date").is_empty() && header("content-type").starts_with("multipart/alternative"));
        let parts = json!([["text/plain", "Hi Ada <&> é\n.\n"], ["text/html", "<p>Ada &lt;&amp;&gt; é</p>"]]);
        let found: Vec<_> = taken["parts"].as_array().unwrap().iter().map(|part| [&part[0], &part[1]]).collect();
        let text = |value: &Value| value.as_str().unwrap().replace("\r\n", "\n");
        let found: Vec<_> = found.iter().map(|[kind, said]| json!([kind, text(said)])).collect();
        assert_eq!((json!(found), &taken["defects"]), (parts, &json!([])), "{kind}");
    }
}

#[tokio::test]
async fn what_the_server_refuses_is_told_by_its_code_alone() {
    let mut server = Server::start().await;
    for (recipient, code, retryable) in [
        ("rcpt-450", codes::SERVICE_UNAVAILABLE, true),
        ("rcpt-452", codes::RATE_LIMITED, true),
        ("rcpt-550", codes::NOT_FOUND, false),
        ("rcpt-553", codes::VALIDATION_ERROR, false),
        ("data-451", codes::SERVICE_UNAVAILABLE, true),
        ("data-552", codes::VALIDATION_ERROR, false),
        ("data-554", codes::VALIDATION_ERROR, false),
    ] {
        // One recipient that is refused refuses the message for the other.
        let mut input = to("a@example.com");
        input["bcc"] = json!(format!("{recipient}@example.com"));
        let channel = server.channel("starttls", &input);
        let error = sent(server.outbound("starttls"), &channel, "s3cr3t").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (code, retryable), "{recipient}");
        assert_eq!(error.message, format!("the mail server answered {}", &recipient[5..]));
    }
    for kind in ["starttls", "implicit"] {
        let channel = server.channel(kind, &to("a@example.com"));
        let error = sent(server.outbound(kind), &channel, "wrong").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::UNAUTHORIZED, false), "{kind}");
        assert_eq!(error.message, "the mail server answered 535");
        // Without a login the server refuses the sender.
        let tls = if kind == "implicit" { "implicit" } else { "starttls" };
        let channel = server.channel_as(kind, &to("a@example.com"), &json!({"tls": tls}));
        let error = sent(server.outbound(kind), &channel, "").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::UNAUTHORIZED, false), "{kind}");
    }
    // Nothing of all that was taken: the next message is the first.
    let channel = server.channel("starttls", &to("last@example.com"));
    sent(server.outbound("starttls"), &channel, "s3cr3t").await.unwrap();
    assert_eq!(server.taken().await["to"], json!(["last@example.com"]));
}

#[tokio::test]
async fn nothing_is_sent_to_a_server_that_is_not_trusted_or_does_not_encrypt() {
    let mut server = Server::start().await;
    let untrusted = |kind: &str| outbound(&format!("localhost:{}", server.port(kind)));
    for kind in ["starttls", "implicit"] {
        let error = sent(untrusted(kind), &server.channel(kind, &to("a@example.com")), "s3cr3t").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::CONNECTION_ERROR, true), "{kind}");
        // The certificate is the name's, not the address's.
        let by_address = server.channel_as(kind, &to("a@example.com"), &json!({"host": "127.0.0.1",
            "tls": if kind == "implicit" { "implicit" } else { "starttls" }, "username": "svc", "password": "env:SMTP"}));
        let roots = Roots::parse(server.told["authority"].as_str().unwrap()).unwrap();
        let error = sent(outbound("127.0.0.1").trusting(roots), &by_address, "s3cr3t").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::CONNECTION_ERROR, true), "{kind}");
        let error =
            sent(outbound("10.0.0.0/8"), &server.channel(kind, &to("a@example.com")), "s3cr3t").await.unwrap_err();
        assert_eq!((error.code.as_str(), error.retryable), (codes::TARGET_REFUSED, false), "{kind}");
    }
    let error =
        sent(server.outbound("plain"), &server.channel("plain", &to("a@example.com")), "s3cr3t").await.unwrap_err();
    assert_eq!((error.code.as_str(), error.retryable), (codes::VALIDATION_ERROR, false));
    assert_eq!(error.message, "the mail server offers no STARTTLS");
    let channel = server.channel("implicit", &to("last@example.com"));
    sent(server.outbound("implicit"), &channel, "s3cr3t").await.unwrap();
    assert_eq!(server.taken().await["to"], json!(["last@example.com"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_sends_its_mail_in_the_wanted_language_and_once_though_the_sms_beside_it_is_retried() {
    let mut server = Server::start().await;
    let target = target::Target::start(async |wire| match wire.nth {
        1 => answer(StatusCode::SERVICE_UNAVAILABLE, &json!({})),
        _ => answer(StatusCode::CREATED, &json!({"sid": "SM2"})),
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("authority.pem");
    std::fs::write(&roots, server.told["authority"].as_str().unwrap()).unwrap();
    let carillon = Launch::on(&folder.path().join("data"))
        .allow(target.address)
        .with("--allow", format!("localhost:{}", server.port("starttls")))
        .with("--root-certificates", roots)
        .variable("SMTP", "s3cr3t")
        .variable("TWILIO", "canary-of-twilio")
        .start()
        .await;
    let text = json!({"en": "Hi {{name}}", "pt": "Olá {{name}},\n.\nadeus\n"});
    let html = json!({"en": "<p>Hi {{name}}</p>", "pt": "<p>Olá {{name}}</p>"});
    let message = json!({"email": {"subject": {"en": "Order {{n}}", "pt": "Encomenda {{n}}: é"}, "text": text, "html": html}, "sms": text});
    let email = json!({"provider": "smtp", "host": "localhost", "port": server.port("starttls"), "from": "shop@example.com",
        "username": "svc", "password": "env:SMTP"});
    let sms = json!({"provider": "twilio", "from": "+15550100", "account_sid": "AC0123456789abcdef", "auth_token": "env:TWILIO",
        "url": target.url()});
    let channels = json!({"prd": {"email": email, "sms": sms}});
    let catalog =
        json!({"envs": ["prd"], "notifications": {"order": {"envs": channels, "messages": {"shipped": message}}}});
    carillon.client.put("/v1/products/p", &catalog).await.json(201);
    let sent = async |to: &str, input: Value| {
        let mut input = input;
        input["locale"] = json!("pt-BR");
        input["email"] = json!({"to": to, "data": {"n": 7, "name": "Ada <&>"}});
        let job = json!({"product_tag": "p", "env": "prd", "event": "order:shipped", "start_at": 0, "input": input, "retries": 1,
            "retry": {"initialDelay": 1, "jitter": false}});
        carillon.client.ended(&carillon.client.schedule(&job).await).await
    };

    let run = sent("ada@example.com", json!({"sms": {"to": "+31612345678", "data": {"name": "Ada"}}})).await;
    assert_eq!((&run["status"], &run["attempts"]), (&json!("completed"), &json!(2)), "{run}");
    let failure = run["failures"][0]["error"]["message"].as_str().unwrap();
    assert!(failure.starts_with("sent: email; not sent: sms ("), "{run}");
    let id = format!("<{}_email@example.com>", run["webhook_id"].as_str().unwrap());
    let channels = json!({
        "email": {"provider": "smtp", "id": id, "response": "2.0.0 OK: queued as 4F1C"},
        "sms": {"provider": "twilio", "id": "SM2"},
    });
    assert_eq!(run["result"]["channels"], channels, "{run}");
    assert_eq!(target.seen().len(), 2);
    let taken = server.taken().await;
    assert_eq!(
        (&taken["tls"], &taken["user"], &taken["to"]),
        (&json!(true), &json!("svc"), &json!(["ada@example.com"]))
    );
    for header in [json!(["subject", "Encomenda 7: é"]), json!(["message-id", id])] {
        assert!(taken["headers"].as_array().unwrap().contains(&header), "{header}: {taken}");
    }
    let parts = taken["parts"].to_string().replace("\\r\\n", "\\n");
    let expected = json!([["text/plain", "Olá Ada <&>,\n.\nadeus\n"], ["text/html", "<p>Olá Ada &lt;&amp;&gt;</p>"]]);
    assert_eq!((parts, &taken["defects"]), (expected.to_string(), &json!([])), "{taken}");

    // The retry sent no second one: the next message that the server takes is another job's.
    let run = sent("last@example.com", json!({})).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(server.taken().await["to"], json!(["last@example.com"]));
    let log = carillon.log();
    assert!(!log.contains("s3cr3t") && !log.contains("canary"), "{log}");
}
