//! Component types of the OpenTelemetry Collector, so that a message can tell a component that is
//! not supported from a word that is misspelt.
//!
//! The names of the contrib distribution, v0.159; renamed types under their new name.

use super::id::Kind;

/// Whether the OpenTelemetry Collector has such a component. `type_name` is canonical.
pub(crate) fn has(kind: Kind, type_name: &str) -> bool {
    names(kind)
        .split_ascii_whitespace()
        .any(|name| name == type_name)
}

/// The types of `kind`, separated by white space.
pub(crate) fn names(kind: Kind) -> &'static str {
    match kind {
        Kind::Receiver => RECEIVERS,
        Kind::Processor => PROCESSORS,
        Kind::Exporter => EXPORTERS,
        Kind::Connector => CONNECTORS,
        Kind::Extension => EXTENSIONS,
    }
}

const RECEIVERS: &str = "
    active_directory_ds aerospike apache apachespark awscloudwatch awscontainerinsightreceiver
    awsecscontainermetrics awsfirehose awslambda awss3 awsxray azureblob azureeventhub azuremonitor
    bigip carbon chrony ciscoos cloudflare cloudfoundry collectd couchdb datadog docker_stats
    elasticsearch envoyals expvar faro file_log file_stats flinkmetrics fluentforward
    generate github gitlab googlecloudmonitoring googlecloudpubsub googlecloudspanner haproxy
    host_metrics httpcheck huaweicloudcesreceiver icmpcheckreceiver iis influxdb jaeger jmx journald
    k8s_cluster k8s_events k8s_objects kafka kafkametrics kubelet_stats libhoneyreceiver loki
    memcached mongodb mongodbatlas mysql namedpipe netflow nginx nop nsxt ntp opencensus oracledb
    osquery otelarrow otlp otlpjsonfile podman_stats postgresql pprof prometheus
    prometheus_remote_write prometheus_simple pulsar purefa purefb rabbitmq receiver_creator redis
    riak sap_hana signalfx simpleprometheus skywalking snmp snowflake solace splunk_hec splunkenterprise
    sqlquery sqlserver sshcheck statsd stef syslog systemd tcp_log tcpcheck tlscheck udp_log vcenter
    wavefront webhookevent windowseventlog windowsperfcounters windowsservice yanggrpc zipkin
    zookeeper
";

const PROCESSORS: &str = "
    attributes batch cardinality_guardian coralogix cumulative_to_delta datadogsemantics
    delta_to_cumulative delta_to_rate deltatorate dns_lookup drain experimental_metricsgeneration
    filter geoip groupbyattrs groupbytrace interval isolationforest k8s_attributes log_dedup
    logstransform lookup memory_limiter metric_start_time metrics_generation metrics_transform
    metricsgeneration probabilistic_sampler redaction remotetap resource resource_detection schema
    span sumologic tail_sampling transform unroll
";

const EXPORTERS: &str = "
    alertmanager alibabacloud_logservice awscloudwatchlogs awsemf awskinesis awss3 awsxray
    azureblob azuredataexplorer azuremonitor bmchelix carbon cassandra clickhouse coralogix datadog
    dataset debug doris elasticsearch faro file googlecloud googlecloudpubsub googlecloudstorage
    googlemanagedprometheus honeycombmarker influxdb kafka load_balancing logging logicmonitor logzio
    loki mezmo nop opencensus opensearch otelarrow otlp_grpc otlp_http prometheus
    prometheus_remote_write pulsar rabbitmq sapm sematext sentry signalfx splunk_hec stef sumologic
    syslog tencentcloud_logservice tinybird zipkin
";

const CONNECTORS: &str = "
    count datadog exceptions failover forward grafanacloud metricsaslogs otlpjson roundrobin routing
    servicegraph signal_to_metrics signaltometrics slowsql spanmetrics sum
";

const EXTENSIONS: &str = "
    ack asapclient aws_logs_encoding awscloudwatchmetricstreams_encoding awslogs_encoding awsproxy
    azure_auth azure_encoding azureauth basicauth bearertokenauth cfgarden_observer cgroupruntime
    datadog db_storage docker_observer ecs_observer ecs_task_observer file_storage googleclientauth
    googlecloudlogentry_encoding headers_setter health_check healthcheckv2 host_observer
    http_forwarder jaeger_encoding jaegerremotesampling json_log_encoding k8s_leader_elector
    k8s_observer kafkatopics_observer memory_ballast memory_limiter oauth2client oidc opamp
    otlp_encoding pprof redis_storage remotetap sigv4auth skywalking_encoding solarwindsapmsettings
    sumologic text_encoding zipkin_encoding zpages
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_components_are_known_under_their_present_names() {
        assert!(has(Kind::Receiver, "kubelet_stats"));
        assert!(!has(Kind::Receiver, "kubeletstats"));
        assert!(!has(Kind::Receiver, "hsot_metrics"));
        assert!(has(Kind::Connector, "spanmetrics"));
    }
}
