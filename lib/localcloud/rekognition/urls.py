"""Where moto's server finds Rekognition."""

from localcloud.rekognition.responses import CollectionsResponse

url_bases = [r"https?://rekognition\.(.+)\.amazonaws\.com"]
url_paths = {"{0}/$": CollectionsResponse.dispatch}
