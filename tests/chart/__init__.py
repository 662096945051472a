"""The Helm chart, rendered by the real helm and held to what Kubernetes, the daemon and its policies say."""
