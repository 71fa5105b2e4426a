// What the AWS SDK for JavaScript v2, another implementation of the protocol, makes of it; prints one JSON object.
const { readFileSync } = require("node:fs");
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
const sdk = require("aws-sdk");

const [portrait, another, CollectionId] = process.argv.slice(2);
const client = new sdk.Rekognition({ endpoint: process.env.AWS_ENDPOINT_URL, region: "us-east-1", maxRetries: 0 });

(async () => {
  const seen = {};
  await client.createCollection({ CollectionId }).promise();
  const image = { Bytes: readFileSync(portrait) };
  const indexed = await client.indexFaces({ CollectionId, Image: image, ExternalImageId: "a" }).promise();
  seen.indexed = indexed.FaceRecords[0].Face;
  seen.listed = (await client.listFaces({ CollectionId }).promise()).Faces;
  const search = { CollectionId, Image: { Bytes: readFileSync(another) } };
  seen.found = (await client.searchFacesByImage(search).promise()).FaceMatches;
  await client.deleteCollection({ CollectionId }).promise();
  seen.missing = await client.listFaces({ CollectionId }).promise().catch((caught) => [caught.code, caught.message]);
  console.log(JSON.stringify(seen));
})();
