--
-- PostgreSQL database dump
--

\restrict X4QJEcCsERkCemJf4XjteVnU1Y51cakTdbnSa7et7hR841ky1lijvm90TSmZXdN

-- Dumped from database version 18.4
-- Dumped by pg_dump version 18.4

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: deliveries; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.deliveries (
    sequence bigint NOT NULL,
    org text NOT NULL,
    job text NOT NULL,
    hook uuid NOT NULL,
    message_id text NOT NULL,
    status text NOT NULL,
    attempt integer NOT NULL,
    at timestamp with time zone NOT NULL,
    outcome text NOT NULL,
    response_status integer,
    error text,
    duration_ms integer NOT NULL,
    next_attempt_at timestamp with time zone
);


--
-- Name: idempotency_keys; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.idempotency_keys (
    org text NOT NULL,
    key text NOT NULL,
    body bytea NOT NULL,
    job text NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: jobs; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.jobs (
    id text NOT NULL,
    org text NOT NULL,
    created timestamp with time zone NOT NULL,
    status text NOT NULL,
    enable_drm boolean NOT NULL,
    priority smallint NOT NULL,
    admitted boolean NOT NULL,
    last_sequence bigint NOT NULL,
    state text NOT NULL
);


--
-- Name: memberships; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.memberships (
    user_id bigint NOT NULL,
    org text NOT NULL
);


--
-- Name: offsets; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.offsets (
    stream text NOT NULL,
    sequence bigint NOT NULL
);


--
-- Name: organizations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.organizations (
    code text NOT NULL,
    name text NOT NULL,
    storage bytea,
    created timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: output_claims; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.output_claims (
    org text NOT NULL,
    location text NOT NULL,
    job text NOT NULL,
    claimed timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: progress_shown; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.progress_shown (
    job text NOT NULL,
    percent smallint NOT NULL
);


--
-- Name: schema_migrations; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    applied timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: tokens; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.tokens (
    hash bytea NOT NULL,
    org text NOT NULL,
    user_id bigint,
    created timestamp with time zone DEFAULT now() NOT NULL,
    expires timestamp with time zone NOT NULL
);


--
-- Name: users; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.users (
    id bigint NOT NULL,
    username text NOT NULL,
    password_hash text NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Name: users_id_seq; Type: SEQUENCE; Schema: public; Owner: -
--

ALTER TABLE public.users ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: webhooks; Type: TABLE; Schema: public; Owner: -
--

CREATE TABLE public.webhooks (
    id uuid NOT NULL,
    org text NOT NULL,
    url text NOT NULL,
    secret bytea NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    created timestamp with time zone DEFAULT now() NOT NULL
);


--
-- Data for Name: deliveries; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.deliveries VALUES (1, 'before', 'jobUpLoaded', 'f62b9aaf-d6df-41f4-abd2-51d02c956866', 'msg_jobUpLoaded_queued_f62b9aaf-d6df-41f4-abd2-51d02c956866', 'queued', 1, '2026-11-26 22:01:11.728767+00', 'delivered', 200, NULL, 6, NULL);
INSERT INTO public.deliveries VALUES (2, 'before', 'jobUpLoaded', 'f62b9aaf-d6df-41f4-abd2-51d02c956866', 'msg_jobUpLoaded_transcoding_f62b9aaf-d6df-41f4-abd2-51d02c956866', 'transcoding', 1, '2026-11-26 22:01:11.856424+00', 'delivered', 200, NULL, 3, NULL);
INSERT INTO public.deliveries VALUES (3, 'before', 'jobUnderWay', 'f62b9aaf-d6df-41f4-abd2-51d02c956866', 'msg_jobUnderWay_queued_f62b9aaf-d6df-41f4-abd2-51d02c956866', 'queued', 1, '2026-11-26 22:01:16.433146+00', 'delivered', 200, NULL, 5, NULL);
INSERT INTO public.deliveries VALUES (4, 'before', 'jobUnderWay', 'f62b9aaf-d6df-41f4-abd2-51d02c956866', 'msg_jobUnderWay_transcoding_f62b9aaf-d6df-41f4-abd2-51d02c956866', 'transcoding', 1, '2026-11-26 22:01:16.483224+00', 'failed', 503, 'The answer was 503.', 5, '2026-11-26 22:02:20.802821+00');
INSERT INTO public.deliveries VALUES (5, 'before', 'jobFetched2', 'f62b9aaf-d6df-41f4-abd2-51d02c956866', 'msg_jobFetched2_queued_f62b9aaf-d6df-41f4-abd2-51d02c956866', 'queued', 1, '2026-11-26 22:01:19.73996+00', 'delivered', 200, NULL, 4, NULL);


--
-- Data for Name: idempotency_keys; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.idempotency_keys VALUES ('before', 'the key of jobUpLoaded', '\x9b5a146ab5d9871fcfcb3b48d2b2ca27d9ef46db2bcb95d1cadb15565b0adfc6', 'jobUpLoaded', '2026-11-26 22:01:11.456748+00');
INSERT INTO public.idempotency_keys VALUES ('before', 'the key of jobUnderWay', '\x725acc5e1ccf0576f59b265368d0d9b676962a7be3895ced46d1357e6f1bcbe1', 'jobUnderWay', '2026-11-26 22:01:16.368008+00');
INSERT INTO public.idempotency_keys VALUES ('before', 'the key of jobFetched2', '\x14e05d3e874d05da6c17dc9d9ff63120252bb670e5ee5a0a1229e678d76c61dc', 'jobFetched2', '2026-11-26 22:01:19.666376+00');
INSERT INTO public.idempotency_keys VALUES ('before', 'the key of jobStarted2', '\xc16b5e76c8cb0da446c49516271349662026d78845d465fd1208b89a10765243', 'jobStarted2', '2026-11-26 22:01:21.657993+00');


--
-- Data for Name: jobs; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.jobs VALUES ('jobUpLoaded', 'before', '2026-11-26 22:01:11.470029+00', 'transcoding', false, 1, true, 19, '{"id":"jobUpLoaded","org":"before","created":"2026-11-26T22:01:11.470029Z","input_url":"s3://films/in/clip.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","output_path":"s3://films/out/jobUpLoaded/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","resolutions":["144p","240p"],"enable_drm":false,"client_metadata":"{\"lesson\": 7}","priority":"normal","profile":"balanced","status":"transcoding","admitted":true,"start_time":"2026-11-26T22:01:11.815117Z","fetched_at":"2026-11-26T22:01:13.198575Z","encoded_at":"2026-11-26T22:01:15.989211Z","end_time":null,"video_duration":18.0,"parts":5,"parts_transcoded":5,"parts_uploaded":5,"part_weights":{"v0000":0.3003003003003003,"v0001":0.3003003003003003,"v0002":0.3003003003003003,"a0":0.09009009009009009,"t0":0.009009009009009009},"encoding":{},"uploaded":1.0,"error_code":null,"error_message":null,"error_detail":null,"warnings":[],"outputs":null}');
INSERT INTO public.jobs VALUES ('jobStarted2', 'before', '2026-11-26 22:01:21.667018+00', 'transcoding', false, 1, true, 44, '{"id":"jobStarted2","org":"before","created":"2026-11-26T22:01:21.667018Z","input_url":"s3://films/in/clip.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","output_path":"s3://films/out/jobStarted2/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","resolutions":["144p","240p"],"enable_drm":false,"client_metadata":null,"priority":"normal","profile":"balanced","status":"transcoding","admitted":true,"start_time":"2026-11-26T22:01:21.690212Z","fetched_at":null,"encoded_at":null,"end_time":null,"video_duration":null,"parts":0,"parts_transcoded":0,"parts_uploaded":0,"part_weights":{},"encoding":{},"uploaded":0.0,"error_code":null,"error_message":null,"error_detail":null,"warnings":[],"outputs":null}');
INSERT INTO public.jobs VALUES ('jobFetched2', 'before', '2026-11-26 22:01:19.669456+00', 'transcoding', false, 1, true, 41, '{"id":"jobFetched2","org":"before","created":"2026-11-26T22:01:19.669456Z","input_url":"s3://films/in/clip.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","output_path":"s3://films/out/jobFetched2/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","resolutions":["144p","240p"],"enable_drm":false,"client_metadata":null,"priority":"normal","profile":"fast","status":"transcoding","admitted":true,"start_time":"2026-11-26T22:01:19.700570Z","fetched_at":"2026-11-26T22:01:21.584152Z","encoded_at":null,"end_time":null,"video_duration":18.0,"parts":5,"parts_transcoded":0,"parts_uploaded":0,"part_weights":{"v0000":0.3003003003003003,"v0001":0.3003003003003003,"v0002":0.3003003003003003,"a0":0.09009009009009009,"t0":0.009009009009009009},"encoding":{"v0000":0.3003003003003003,"v0001":0.3003003003003003,"v0002":0.3003003003003003,"a0":0.09009009009009009,"t0":0.009009009009009009},"uploaded":0.0,"error_code":null,"error_message":null,"error_detail":null,"warnings":[],"outputs":null}');
INSERT INTO public.jobs VALUES ('jobUnderWay', 'before', '2026-11-26 22:01:16.378329+00', 'transcoding', false, 2, true, 35, '{"id":"jobUnderWay","org":"before","created":"2026-11-26T22:01:16.378329Z","input_url":"s3://films/in/clip.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","output_path":"s3://films/out/jobUnderWay/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1&endpoint=http://127.0.0.1:38575","resolutions":["144p","240p"],"enable_drm":false,"client_metadata":null,"priority":"high","profile":"balanced","status":"transcoding","admitted":true,"start_time":"2026-11-26T22:01:16.412964Z","fetched_at":"2026-11-26T22:01:17.654462Z","encoded_at":null,"end_time":null,"video_duration":18.0,"parts":5,"parts_transcoded":4,"parts_uploaded":3,"part_weights":{"v0000":0.3003003003003003,"v0001":0.3003003003003003,"v0002":0.3003003003003003,"a0":0.09009009009009009,"t0":0.009009009009009009},"encoding":{"v0002":0.3003003003003003},"uploaded":0.3993993993993994,"error_code":null,"error_message":null,"error_detail":null,"warnings":[],"outputs":null}');


--
-- Data for Name: memberships; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.memberships VALUES (1, 'before');


--
-- Data for Name: offsets; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.offsets VALUES ('DELIVERIES', 5);
INSERT INTO public.offsets VALUES ('JOBS', 44);


--
-- Data for Name: organizations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.organizations VALUES ('before', 'Before', NULL, '2026-11-26 22:00:49.637081+00');


--
-- Data for Name: output_claims; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.output_claims VALUES ('before', 'http://127.0.0.1:38575|films|out/jobUpLoaded', 'jobUpLoaded', '2026-11-26 22:01:11.456748+00');
INSERT INTO public.output_claims VALUES ('before', 'http://127.0.0.1:38575|films|out/jobUnderWay', 'jobUnderWay', '2026-11-26 22:01:16.368008+00');
INSERT INTO public.output_claims VALUES ('before', 'http://127.0.0.1:38575|films|out/jobFetched2', 'jobFetched2', '2026-11-26 22:01:19.666376+00');
INSERT INTO public.output_claims VALUES ('before', 'http://127.0.0.1:38575|films|out/jobStarted2', 'jobStarted2', '2026-11-26 22:01:21.657993+00');


--
-- Data for Name: progress_shown; Type: TABLE DATA; Schema: public; Owner: -
--



--
-- Data for Name: schema_migrations; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.schema_migrations VALUES (1, '0001_initial', '2026-11-26 22:00:48.816603+00');


--
-- Data for Name: tokens; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.tokens VALUES ('\x6363bacc8b16434c95819d3b2a44431062948e74ed52c2a8446af225286d0761', 'before', NULL, '2026-11-26 22:00:49.637081+00', '2036-11-23 22:00:49.637081+00');


--
-- Data for Name: users; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.users OVERRIDING SYSTEM VALUE VALUES (1, 'before', '$argon2id$v=19$m=65536,t=3,p=4$g7nJ0M+SWjqmTkPIq0gKFQ$HzS0Sa49EFMoVB9gOz+dYtzwcI13dTj4kKHL8raAQuE', '2026-11-26 22:00:49.637081+00');


--
-- Data for Name: webhooks; Type: TABLE DATA; Schema: public; Owner: -
--

INSERT INTO public.webhooks VALUES ('f62b9aaf-d6df-41f4-abd2-51d02c956866', 'before', 'http://127.0.0.1:41361/hook', '\x9c689645916a79b8fc366d56610ab72f0e22c406ffca807be823687a8965a25e4fddf5e5d4bdcd13c6e420e610c0f4493fe7eff591395aeba4b847e471d760c1289b7469', true, '2026-11-26 22:00:49.677211+00');


--
-- Name: users_id_seq; Type: SEQUENCE SET; Schema: public; Owner: -
--

SELECT pg_catalog.setval('public.users_id_seq', 1, true);


--
-- Name: deliveries deliveries_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.deliveries
    ADD CONSTRAINT deliveries_pkey PRIMARY KEY (sequence);


--
-- Name: idempotency_keys idempotency_keys_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_pkey PRIMARY KEY (org, key);


--
-- Name: jobs jobs_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);


--
-- Name: memberships memberships_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_pkey PRIMARY KEY (user_id, org);


--
-- Name: offsets offsets_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.offsets
    ADD CONSTRAINT offsets_pkey PRIMARY KEY (stream);


--
-- Name: organizations organizations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.organizations
    ADD CONSTRAINT organizations_pkey PRIMARY KEY (code);


--
-- Name: output_claims output_claims_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.output_claims
    ADD CONSTRAINT output_claims_pkey PRIMARY KEY (org, location);


--
-- Name: progress_shown progress_shown_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.progress_shown
    ADD CONSTRAINT progress_shown_pkey PRIMARY KEY (job);


--
-- Name: schema_migrations schema_migrations_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);


--
-- Name: tokens tokens_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_pkey PRIMARY KEY (hash);


--
-- Name: users users_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);


--
-- Name: users users_username_key; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_username_key UNIQUE (username);


--
-- Name: webhooks webhooks_pkey; Type: CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);


--
-- Name: deliveries_of_hook; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX deliveries_of_hook ON public.deliveries USING btree (org, hook, sequence DESC);


--
-- Name: jobs_active; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_active ON public.jobs USING btree (org) WHERE (admitted AND (status = ANY (ARRAY['queued'::text, 'transcoding'::text])));


--
-- Name: jobs_of_org; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_of_org ON public.jobs USING btree (org, created, id);


--
-- Name: jobs_waiting; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX jobs_waiting ON public.jobs USING btree (org, priority DESC, created, id) WHERE ((NOT admitted) AND (status = 'queued'::text));


--
-- Name: output_claims_of_job; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX output_claims_of_job ON public.output_claims USING btree (job);


--
-- Name: tokens_of_org; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX tokens_of_org ON public.tokens USING btree (org, expires);


--
-- Name: webhooks_of_org; Type: INDEX; Schema: public; Owner: -
--

CREATE INDEX webhooks_of_org ON public.webhooks USING btree (org, created);


--
-- Name: idempotency_keys idempotency_keys_org_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.idempotency_keys
    ADD CONSTRAINT idempotency_keys_org_fkey FOREIGN KEY (org) REFERENCES public.organizations(code) ON DELETE CASCADE;


--
-- Name: memberships memberships_org_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_org_fkey FOREIGN KEY (org) REFERENCES public.organizations(code) ON DELETE CASCADE;


--
-- Name: memberships memberships_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.memberships
    ADD CONSTRAINT memberships_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: tokens tokens_org_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_org_fkey FOREIGN KEY (org) REFERENCES public.organizations(code) ON DELETE CASCADE;


--
-- Name: tokens tokens_user_id_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.tokens
    ADD CONSTRAINT tokens_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;


--
-- Name: webhooks webhooks_org_fkey; Type: FK CONSTRAINT; Schema: public; Owner: -
--

ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_org_fkey FOREIGN KEY (org) REFERENCES public.organizations(code) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--

\unrestrict X4QJEcCsERkCemJf4XjteVnU1Y51cakTdbnSa7et7hR841ky1lijvm90TSmZXdN

