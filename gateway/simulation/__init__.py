"""What an agreement would have done with past alerts, and whether a past decision is made again."""
