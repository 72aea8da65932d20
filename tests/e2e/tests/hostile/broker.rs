//! A broker that speaks broken MQTT.
