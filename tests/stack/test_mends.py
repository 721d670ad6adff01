"""Compares the mends with AWS, as far as that needs neither Terraform nor a function.

python -m unittest test_mends
"""

import json
import tempfile
import time
import unittest
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

import stack

NEVER = "at(2099-01-01T00:00:00)"


class Mends(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.emulator = stack.start(Path(directory.name) / "stack")
        cls.addClassCleanup(stack.stop, cls.emulator["pid"])
        cls.account = cls.emulator["access_key_id"]
        cls.sqs, cls.iam, cls.scheduler = map(cls.client, ("sqs", "iam", "scheduler"))

        cls.dead_letters, cls.dead_letters_arn = cls.queue("dead-letters")
        redrive = {"deadLetterTargetArn": cls.dead_letters_arn, "maxReceiveCount": 1}
        cls.due, cls.due_arn = cls.queue("due", RedrivePolicy=json.dumps(redrive))
        cls.scheduler.create_schedule_group(Name="fires")
        group = f"arn:aws:scheduler:{stack.REGION}:{cls.account}:schedule-group/fires"
        cls.deliver = cls.role("deliver", {"Service": "scheduler.amazonaws.com"}, cls.allow("sqs:SendMessage", cls.due_arn), group)

    @classmethod
    def client(cls, service, credentials=None):
        return botocore.session.get_session().create_client(
            service,
            region_name=stack.REGION,
            endpoint_url=cls.emulator["endpoint"],
            aws_access_key_id=credentials["AccessKeyId"] if credentials else cls.account,
            aws_secret_access_key=credentials["SecretAccessKey"] if credentials else cls.emulator["secret_access_key"],
            aws_session_token=credentials["SessionToken"] if credentials else None,
            config=Config(retries={"max_attempts": 0}),
        )

    @classmethod
    def queue(cls, name, **attributes):
        url = cls.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return url, f"arn:aws:sqs:{stack.REGION}:{cls.account}:{name}"

    @staticmethod
    def allow(action, resource):
        return {"Effect": "Allow", "Action": action, "Resource": resource}

    @classmethod
    def role(cls, name, principal, statements, source_arn=None):
        trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        if source_arn:
            trust["Condition"] = {"ArnEquals": {"aws:SourceArn": source_arn}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        arn = cls.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        cls.iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
        return arn

    def setUp(self):
        for url in (self.due, self.dead_letters):
            self.sqs.purge_queue(QueueUrl=url)

    def schedule(self, name, expression=NEVER, *, zone="UTC", group="fires", scheduler=None, queue=None, role=None, **options):
        target = {"Arn": queue or self.due_arn, "RoleArn": role or self.deliver, "Input": name}
        return (scheduler or self.scheduler).create_schedule(
            Name=name,
            GroupName=group,
            ScheduleExpression=expression,
            ScheduleExpressionTimezone=zone,
            FlexibleTimeWindow={"Mode": "OFF"},
            Target=target | {"DeadLetterConfig": {"Arn": self.dead_letters_arn}},
            ActionAfterCompletion="DELETE",
            **options,
        )

    def receive(self, url, **options):
        return self.sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"], WaitTimeSeconds=5, **options).get("Messages", [])

    def move_task(self, **options):
        self.sqs.start_message_move_task(SourceArn=self.dead_letters_arn, **options)
        return self.sqs.list_message_move_tasks(SourceArn=self.dead_letters_arn)["Results"][0]

    def refused(self, code):
        return self.assertRaisesRegex(ClientError, rf"\({code}\)")

    # --- Scheduler ---

    def test_a_schedule_delivers_at_its_time_in_its_zone_and_is_gone(self):
        due = int(time.time()) + 2
        self.schedule("tokyo", f"{datetime.fromtimestamp(due, ZoneInfo('Asia/Tokyo')):at(%Y-%m-%dT%H:%M:%S)}", zone="Asia/Tokyo")
        [message] = self.receive(self.due)
        self.assertEqual(message["Body"], "tokyo")
        self.assertTrue(due <= time.time() < due + 0.5, time.time() - due)
        with self.refused("ResourceNotFoundException"):
            self.scheduler.get_schedule(Name="tokyo", GroupName="fires")

    def test_what_cannot_be_delivered_goes_to_the_dead_letter_queue_of_the_schedule(self):
        # The role may send to the dead-letter queue, but not to the target.
        group = f"arn:aws:scheduler:{stack.REGION}:{self.account}:schedule-group/fires"
        role = self.role("misdeliver", {"Service": "scheduler.amazonaws.com"}, self.allow("sqs:SendMessage", self.dead_letters_arn), group)
        self.schedule("denied", "at(2020-01-01T00:00:00)", role=role)
        [message] = self.receive(self.dead_letters)
        self.assertEqual((message["Body"], message["MessageAttributes"]["ERROR_CODE"]["StringValue"]), ("denied", "AccessDenied"))

    def test_what_is_not_a_time_or_a_zone_is_refused(self):
        for expression, zone in (("at(tomorrow)", "UTC"), ("at(2099-02-30T00:00:00)", "UTC"), (NEVER, "Mars/Olympus")):
            with self.subTest(expression=expression, zone=zone), self.refused("ValidationException"):
                self.schedule("invalid", expression, zone=zone)

    def test_the_same_client_token_is_the_same_request_and_another_is_a_conflict(self):
        first = self.schedule("twice", ClientToken="one")["ScheduleArn"]
        self.assertEqual(self.schedule("twice", ClientToken="one")["ScheduleArn"], first)
        with self.refused("ConflictException"):
            self.schedule("twice", ClientToken="two")

    def test_a_role_must_be_assumable_by_scheduler_for_this_group(self):
        elsewhere = self.role("elsewhere", {"Service": "scheduler.amazonaws.com"}, self.allow("sqs:*", "*"), "arn:aws:scheduler:::other")
        with self.refused("ValidationException"):
            self.schedule("untrusted", role=elsewhere)

    def test_a_caller_needs_permission_for_the_group_and_to_pass_the_role(self):
        schedules = f"arn:aws:scheduler:{stack.REGION}:{self.account}:schedule/fires/*"
        arn = self.role("caller", {"AWS": f"arn:aws:iam::{self.account}:root"}, self.allow("scheduler:CreateSchedule", schedules))
        session = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        caller = self.client("scheduler", session)
        for group in ("fires", "default"):
            with self.subTest(group=group), self.refused("AccessDeniedException"):
                self.schedule("by-role", scheduler=caller, group=group)
        passing = self.allow("iam:PassRole", self.deliver) | {
            "Condition": {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
        }
        self.iam.put_role_policy(RoleName="caller", PolicyName="pass", PolicyDocument=json.dumps({"Statement": [passing]}))
        self.schedule("by-role", scheduler=caller)
        with self.refused("AccessDeniedException"):
            self.schedule("by-role", scheduler=caller, group="default")

    # --- KMS ---

    def test_a_key_is_used_by_its_role_in_its_encryption_context_alone(self):
        trust = {"AWS": f"arn:aws:iam::{self.account}:root"}
        arns = {name: self.role(name, trust, self.allow("kms:*", "*")) for name in ("sealer", "opener", "stranger")}
        context = {"Condition": {"StringEquals": {"kms:EncryptionContext:service": "one"}}}

        def use(action, *names):
            principal = {"AWS": [arns[name] for name in names]}
            return self.allow(action, "*") | context | {"Principal": principal}

        root = self.allow(["kms:PutKeyPolicy", "kms:DescribeKey"], "*") | {"Principal": trust}
        policy = {"Statement": [root, use("kms:GenerateDataKey", "sealer"), use("kms:Decrypt", "sealer", "opener")]}
        key = self.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
        sts = self.client("sts")
        sessions = {name: sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"] for name, arn in arns.items()}
        sealer, opener, stranger = (self.client("kms", sessions[name]) for name in ("sealer", "opener", "stranger"))

        made = sealer.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"service": "one"})
        wrapped = {"KeyId": key, "CiphertextBlob": made["CiphertextBlob"]}
        opened = opener.decrypt(**wrapped, EncryptionContext={"service": "one"})
        self.assertEqual((opened["Plaintext"], opened["KeyId"]), (made["Plaintext"], key))
        for client, given in ((opener, {"service": "two"}), (opener, {}), (stranger, {"service": "one"})):
            with self.subTest(given=given), self.refused("AccessDeniedException"):
                client.decrypt(**wrapped, EncryptionContext=given)
        with self.refused("AccessDeniedException"):
            opener.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"service": "one"})

    # --- RDS Data API ---

    def test_a_statement_needs_permission_for_its_cluster_and_for_its_secret(self):
        # No server listens there, so only a request that is allowed fails with a connection error.
        cluster = f"arn:aws:rds:{stack.REGION}:{self.account}:cluster:orders-{stack.free_port()}"
        credentials = json.dumps({"username": "carillon", "password": "x"})
        secret = self.client("secretsmanager").create_secret(Name="orders", SecretString=credentials)["ARN"]
        on_cluster, on_secret = self.allow("rds-data:ExecuteStatement", cluster), self.allow("secretsmanager:GetSecretValue", secret)
        trust = {"AWS": f"arn:aws:iam::{self.account}:root"}
        for name, statements, code in (
            ("no-cluster", [on_secret], "AccessDeniedException"),
            ("no-secret", [on_cluster], "AccessDeniedException"),
            ("both", [on_cluster, on_secret], "DatabaseUnavailableException"),
        ):
            arn = self.role(name, trust, statements)
            session = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
            with self.subTest(name), self.refused(code):
                self.client("rds-data", session).execute_statement(resourceArn=cluster, secretArn=secret, sql="SELECT 1")

    # --- SQS ---

    def test_a_delay_beyond_fifteen_minutes_is_refused(self):
        self.sqs.send_message(QueueUrl=self.due, MessageBody="x", DelaySeconds=900)
        with self.refused("InvalidParameterValue"):
            self.sqs.send_message(QueueUrl=self.due, MessageBody="x", DelaySeconds=901)

    def test_a_redrive_moves_a_sent_message_only_to_a_named_destination(self):
        reason = {"reason": {"DataType": "String", "StringValue": "spent"}}
        self.sqs.send_message(QueueUrl=self.dead_letters, MessageBody="parked", MessageAttributes=reason)
        failed = self.move_task()
        self.assertEqual((failed["Status"], failed["FailureReason"]), ("FAILED", "CouldNotDetermineMessageSource"))
        moved = self.move_task(DestinationArn=self.due_arn)
        self.assertEqual((moved["Status"], moved["ApproximateNumberOfMessagesMoved"]), ("COMPLETED", 1))
        [message] = self.receive(self.due)
        self.assertEqual((message["Body"], message["MessageAttributes"]), ("parked", reason))

    def test_a_redrive_takes_what_the_redrive_policy_moved_back_to_its_source(self):
        self.sqs.send_message(QueueUrl=self.due, MessageBody="poison")
        self.receive(self.due, VisibilityTimeout=0)
        self.sqs.receive_message(QueueUrl=self.due)  # the second receive exceeds maxReceiveCount
        self.assertEqual(self.move_task()["ApproximateNumberOfMessagesMoved"], 1)
        [message] = self.receive(self.due)
        self.assertEqual(message["Body"], "poison")

    def test_only_a_dead_letter_queue_can_be_redriven(self):
        with self.refused("InvalidParameterValue"):
            self.sqs.start_message_move_task(SourceArn=self.due_arn)


if __name__ == "__main__":
    unittest.main()
